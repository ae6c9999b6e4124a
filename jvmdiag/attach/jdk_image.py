"""The rung `jdk-image`: a sidecar of a JDK image in the container's PID namespace, gone afterwards.

Least first. As the JVM's own user without any capability, when /proc/PID/root opens to it; else as
root with the four capabilities that reach another user's JVM. In it the attach protocol is spoken by
the image's perl or python3; where it has neither, by its jcmd, in the one way that works for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jvmdiag.attach.direct import DirectSpeaker, preferred_interpreter
from jvmdiag.attach.rung import NotReady, Reach, Readiness, Ready, Rung, Scene, Speaker, attach_obstacle
from jvmdiag.attach.tools import Tool, ToolSpeaker, tools_beside
from jvmdiag.errors import AttachRefused, NoImage
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.place import ContainerPlace, View
from jvmdiag.jvm.discovery import look
from jvmdiag.model import Owner

DEFAULT_IMAGE = "eclipse-temurin:{major}-jdk"
# To look into another user's process, to signal it, to read and to remove its files.
PRIVILEGED = ("SYS_PTRACE", "KILL", "DAC_OVERRIDE", "FOWNER")
# From 25 on a JDK's tools find a JVM of their own user in another mount namespace by themselves; older
# ones look into their own /tmp, so theirs is made a link to the JVM's (JDK-8327114 and its kin).
_FINDS_BY_ITSELF = 25
_LINK = 'rm -rf /tmp && ln -s "/proc/$1/root/tmp" /tmp'
_ASK_IMAGE = """
for bin in "$JAVA_HOME/bin" /opt/java/openjdk/bin /usr/lib/jvm/*/bin $(command -v java | sed 's|/[^/]*$||'); do
    [ -x "$bin/java" ] || continue
    for tool in jcmd jstack jmap; do [ -x "$bin/$tool" ] && echo "$bin/$tool"; done
    echo "$bin/java"
    "$bin/java" -XshowSettings:properties -version 2>&1 | grep 'java.specification.version ='
    exit 0
done
exit 0
"""


class JdkImage(Rung):
    name = "jdk-image"

    def probe(self, scene: Scene, line: str) -> Readiness:
        jvm, place = scene.jvm, scene.place
        if not isinstance(place, ContainerPlace):
            return NotReady("a sidecar can only be put beside a container")
        if obstacle := attach_obstacle(jvm):
            return NotReady(obstacle)
        image = image_name(scene)
        if not place.has_image(image):
            if not scene.image.pull:
                return NotReady(f"the image {image} is not on the engine")
            return Ready(
                f"sidecar of {image}, to be pulled",
                (f"docker pull {image}", as_command(place, image)),
                "network and disk of the engine",
            )
        return Ready(
            f"sidecar of {image}",
            (as_command(place, image),),
            "a second container beside it, for some seconds",
        )

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Speaker]:
        assert isinstance(scene.place, ContainerPlace)
        image = image_name(scene)
        provide(scene.place, image, scene)
        with contextlib.ExitStack() as stack:
            for capabilities, user in attempts(scene.jvm.owner):
                view = stack.enter_context(scene.place.sidecar(image, capabilities))
                if speaker := _speaker(view, scene.container_pid, user, image):
                    yield speaker
                    return
                stack.close()
        raise AttachRefused(
            "the sidecar cannot look into the JVM's process",
            why="the engine or a security module (user namespaces, SELinux, AppArmor) keeps them apart",
        )


def attempts(owner: Owner) -> Iterator[tuple[tuple[str, ...], Owner | None]]:
    """Capabilities and user (None: root) of a sidecar, least first."""
    if owner.uid != 0:
        yield (), owner
    yield PRIVILEGED, None


def image_name(scene: Scene) -> str:
    """The image that was named, or Temurin's JDK of the JVM's own version."""
    return scene.image.name or DEFAULT_IMAGE.format(major=scene.jvm.major or 21)


def provide(place: ContainerPlace, image: str, scene: Scene) -> None:
    """Pull `image` where it is not there. Raises NoImage."""
    if place.has_image(image):
        return
    if not scene.image.pull:
        raise NoImage(
            f"the image {image} is not on the engine", advice=f"docker pull {image}, or --jdk-image NAME"
        )
    place.pull(image, scene.image.advance)


def as_command(place: ContainerPlace, image: str, capabilities: tuple[str, ...] = ()) -> str:
    """A sidecar as the command that would start its like, for --dry-run."""
    limits = "--network none --log-driver none --memory 512m --cap-drop ALL"
    given = "".join(f" --cap-add {one}" for one in capabilities)
    return f"docker run --rm {limits}{given} --pid container:{place.facts.name} {image}"


def _speaker(view: View, pid: int, user: Owner | None, image: str) -> Speaker | None:
    """A speaker by the means of this sidecar; None where it takes more capabilities.

    Raises AttachRefused for what only a look from here shows to be no JVM to attach to.
    """
    jvms = look(view, user)
    if jvms is None:
        raise NoImage(f"the image {image} has no shell", advice="name a JDK image with one: --jdk-image NAME")
    jvm = next((j for j in jvms if j.pid == pid), None)
    if jvm is None or not jvm.readable:
        return None
    if obstacle := attach_obstacle(jvm):
        raise AttachRefused("the JVM can't be attached to", why=obstacle)
    reach = Reach(view.host, f"/proc/{pid}/root", user, pid)
    if preferred_interpreter(jvm):
        return _named(DirectSpeaker(view.host, jvm, reach), f"sidecar of {image}")
    runtime = ask_image(view.host)
    if not runtime.tools:
        raise NoImage(
            f"the image {image} has neither perl nor python3 nor jcmd",
            advice="name a JDK image: --jdk-image NAME (or JVMDIAG_JDK_IMAGE)",
        )
    if runtime.major < _FINDS_BY_ITSELF or user is None:
        if user is not None:
            return None
        _link_tmp(view.host, pid)
    return _named(
        ToolSpeaker("jdk-image", view.host, user, pid, runtime.tools, reach, jvm), f"sidecar of {image}"
    )


def _link_tmp(host: Host, pid: int) -> None:
    done = host.run(["sh", "-c", _LINK, "sh", str(pid)])
    if not done.ok:
        raise AttachRefused("the sidecar's /tmp could not be made a link to the JVM's", why=done.complaint)


@dataclass(frozen=True)
class ImageRuntime:
    """What the JDK of an image can do: its launchers and its feature version (0: not known)."""

    tools: tuple[Tool, ...]
    major: int


def ask_image(host: Host) -> ImageRuntime:
    """Look into the sidecar for launchers and version. Costs the start of one JVM there."""
    lines = host.run(["sh", "-c", _ASK_IMAGE]).text.splitlines()
    version = next((line.rpartition("=")[2].strip() for line in lines if "=" in line), "")
    paths = [line for line in lines if line.startswith("/")]
    java = next((p for p in paths if p.endswith("/java")), "java")
    major = int(version) if version.isdigit() else 0
    return ImageRuntime(tools_beside([p for p in paths if p != java], java, jcmd_module=False), major)


def _named(speaker: DirectSpeaker | ToolSpeaker, where: str) -> Speaker:
    speaker.method = "jdk-image"
    speaker.detail = f"{speaker.client}, in a {where}"
    return speaker
