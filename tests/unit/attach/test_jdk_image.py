"""The sidecar of a JDK image: which image, with how little, and when it is no way."""

from __future__ import annotations

import pytest

from jvmdiag.attach.jdk_image import PRIVILEGED, JdkImage, _speaker, ask_image, attempts, image_name, provide
from jvmdiag.attach.rung import ImageChoice, NotReady, Ready
from jvmdiag.errors import AttachRefused, NoImage
from jvmdiag.hosts.place import ContainerPlace, View, ViewKind
from jvmdiag.model import Completed, Owner
from tests.fakes import Asked, FakeHost, done
from tests.unit.jvm.probe_case import TOKEN, output_of, the_jvm_of
from tests.unit.scenes import EngineClient, in_a_container, on_a_machine

TOMCAT = the_jvm_of("tomcat-inside")
UNKNOWN = the_jvm_of("another-user-inside")
TEMURIN = "eclipse-temurin:17-jdk"


def test_a_jvm_of_a_user_is_first_tried_as_that_user_without_any_capability() -> None:
    assert list(attempts(Owner(1001, 1002))) == [((), Owner(1001, 1002)), (PRIVILEGED, None)]


def test_a_jvm_of_root_is_tried_as_root_with_what_it_takes() -> None:
    assert list(attempts(Owner(0, 0))) == [(PRIVILEGED, None)]


def test_the_image_is_the_one_that_was_named_or_temurin_of_the_jvms_own_version() -> None:
    assert image_name(in_a_container(TOMCAT, image=ImageChoice("my/jdk:1"))) == "my/jdk:1"
    assert image_name(in_a_container(TOMCAT)) == TEMURIN
    assert image_name(in_a_container(UNKNOWN)) == "eclipse-temurin:21-jdk"


def test_an_image_that_is_there_is_ready_without_a_pull() -> None:
    ready = JdkImage().probe(in_a_container(TOMCAT, client=EngineClient(images=(TEMURIN,))), "VM.version")
    assert isinstance(ready, Ready)
    [command] = ready.commands
    assert command.startswith("docker run --rm --network none")
    assert command.endswith(f"--pid container:web {TEMURIN}")


def test_an_image_that_is_not_there_is_to_be_pulled_and_says_so() -> None:
    ready = JdkImage().probe(in_a_container(TOMCAT), "VM.version")
    assert isinstance(ready, Ready)
    assert "to be pulled" in ready.detail
    assert ready.commands[0] == f"docker pull {TEMURIN}"


def test_nothing_is_pulled_against_the_users_word() -> None:
    scene = in_a_container(TOMCAT, image=ImageChoice(pull=False))
    answer = JdkImage().probe(scene, "VM.version")
    assert answer == NotReady(f"the image {TEMURIN} is not on the engine")
    assert isinstance(scene.place, ContainerPlace)
    with pytest.raises(NoImage, match="not on the engine"):
        provide(scene.place, TEMURIN, scene)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("options-and-limit-inside", "DisableAttachMechanism"),
        ("read-only-zgc-inside", "read-only"),
        ("stopped-stale-trigger-host", "stopped"),
    ],
)
def test_what_no_client_could_pass_a_sidecar_cannot_either(case: str, reason: str) -> None:
    client = EngineClient(images=(TEMURIN, "eclipse-temurin:21-jdk", "eclipse-temurin:25-jdk"))
    answer = JdkImage().probe(in_a_container(the_jvm_of(case), client=client), "VM.version")
    assert isinstance(answer, NotReady)
    assert reason in answer.reason


def test_what_only_a_sidecar_can_see_is_an_obstacle_too() -> None:
    def look(asked: Asked) -> Completed:
        printed = output_of("options-and-limit-inside")
        return done(printed.replace(TOKEN.encode(), asked.argv[3].encode()))

    host = FakeHost({lambda argv: argv[:2] == ("sh", "-s"): look})
    with pytest.raises(AttachRefused, match="DisableAttachMechanism"):
        _speaker(View(host, ViewKind.SIDECAR), 1, UNKNOWN.owner, TEMURIN)
    assert len(host.asked) == 1


def test_beside_a_machine_there_is_no_place_for_a_sidecar() -> None:
    answer = JdkImage().probe(on_a_machine(TOMCAT), "VM.version")
    assert answer == NotReady("a sidecar can only be put beside a container")


def test_a_sidecar_serves_a_container_that_only_a_sidecar_can_see() -> None:
    scene = in_a_container(TOMCAT, kind=ViewKind.SIDECAR, client=EngineClient(images=(TEMURIN,)))
    assert isinstance(JdkImage().probe(scene, "VM.version"), Ready)


@pytest.mark.parametrize(
    ("printed", "tools", "major"),
    [
        (
            "/opt/java/openjdk/bin/jcmd\n/opt/java/openjdk/bin/jstack\n/opt/java/openjdk/bin/jmap\n"
            "/opt/java/openjdk/bin/java\n    java.specification.version = 21\n",
            ["jcmd", "jstack", "jmap"],
            21,
        ),
        ("/j/bin/jmap\n/j/bin/java\n    java.specification.version = 1.8\n", ["jmap"], 0),
        ("/j/bin/java\n    java.specification.version = 17\n", [], 17),
        ("", [], 0),
    ],
    ids=["jdk", "jdk8", "jre", "no-java"],
)
def test_an_image_is_asked_for_its_launchers_and_its_version(
    printed: str, tools: list[str], major: int
) -> None:
    runtime = ask_image(FakeHost({lambda argv: argv[:2] == ("sh", "-c"): done(printed)}))
    assert ([tool.name for tool in runtime.tools], runtime.major) == (tools, major)
