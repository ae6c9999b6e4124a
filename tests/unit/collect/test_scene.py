"""From a place to its JVMs, where only a sidecar could look."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from jvmdiag.attach.rung import ImageChoice
from jvmdiag.collect.scene import SidecarNeeded, see
from jvmdiag.errors import NoImage
from jvmdiag.hosts.place import ContainerPlace
from tests.fakes import FakeHost, done
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import EngineClient, in_a_container

IMAGE = "my/jdk:17"


def shellless(*images: str) -> ContainerPlace:
    """A container without a shell; its engine has `images`, and can neither pull nor start anything."""
    host = FakeHost({lambda argv: True: done("", 127, "sh: not found")}, name="docker://web")
    client = EngineClient(images)
    place = in_a_container(the_jvm_of("tomcat-inside"), host=host, client=client).place
    assert isinstance(place, ContainerPlace)
    return place


@pytest.mark.parametrize("present", [True, False])
def test_a_look_that_may_start_nothing_says_what_would_be_started(present: bool) -> None:
    place = shellless(*([IMAGE] if present else []))
    with ExitStack() as stack, pytest.raises(SidecarNeeded) as caught:
        see(place, ImageChoice(IMAGE), stack, only_look=True)
    *pull, sidecar = caught.value.commands
    assert pull == ([] if present else [f"docker pull {IMAGE}"])
    assert sidecar.startswith("docker run --rm --network none")
    assert "--cap-add SYS_PTRACE" in sidecar
    assert sidecar.endswith(f"--pid container:web {IMAGE}")


def test_an_image_that_is_not_there_and_must_not_be_pulled_is_named() -> None:
    with ExitStack() as stack, pytest.raises(NoImage) as caught:
        see(shellless(), ImageChoice(IMAGE, pull=False), stack)
    assert f"docker pull {IMAGE}" in caught.value.advice[0]
