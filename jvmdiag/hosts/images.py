"""Images on a Docker Engine: whether one is there, and how it comes there.

Both raise EngineUnreachable or ConnectionLost where the engine is gone, EngineRefused where it says no.
"""

from __future__ import annotations

from collections.abc import Callable

from jvmdiag.errors import ConnectError, NoImage, NoSuchTarget, TargetError
from jvmdiag.hosts.docker import Engine
from jvmdiag.hosts.docker_client import import_docker


def has_image(engine: Engine, image: str) -> bool:
    try:
        with engine.asked("look for an image", repr(image)):
            engine.client.inspect_image(image)
    except (NoImage, NoSuchTarget):
        return False
    return True


def pull(engine: Engine, image: str, advance: Callable[[str, int, int], None]) -> None:
    """Pull `image`; `advance(layer, done_bytes, total_bytes)`. Raises NoImage with how to provide one."""
    try:
        with engine.asked("pull an image", repr(image)):
            _pull(engine, image, advance)
    except (ConnectError, TargetError, NoImage) as error:
        raise NoImage(
            f"the JDK image {image} is not on the engine and could not be pulled",
            why=error.why or error.what,
            advice=(
                "name one that is there or can be pulled: --jdk-image NAME (or JVMDIAG_JDK_IMAGE)",
                f"or bring it by hand: docker save {image} | docker load, from a machine that has it",
            ),
        ) from None


def _pull(engine: Engine, image: str, advance: Callable[[str, int, int], None]) -> None:
    repository, tag = import_docker().utils.parse_repository_tag(image)
    for line in engine.client.pull(repository, tag or "latest", stream=True, decode=True):
        if "error" in line:
            raise NoImage("the pull failed", why=str(line["error"]))
        detail = line.get("progressDetail") or {}
        advance(line.get("id", ""), detail.get("current", 0), detail.get("total", 0))
