"""What the rungs have in common: where the JVM's files are reached, as whom, and what no client could pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jvmdiag.attach.rung import Reach, attach_obstacle, reach_of
from jvmdiag.hosts.place import View, ViewKind
from jvmdiag.model import Jvm, Mount, Owner, SigQuit, Vm
from tests.fakes import FakeHost
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import in_a_container, on_a_machine

TOMCAT = the_jvm_of("tomcat-inside")
HOST = FakeHost()


@pytest.mark.parametrize(
    ("case", "kind", "prefix", "user"),
    [
        ("tomcat-inside", ViewKind.INSIDE, "", Owner(1001, 1001)),
        ("tomcat-host", ViewKind.ENGINE_HOST, "/proc/19895/root", None),
        ("jdk11-listening-inside", ViewKind.INSIDE, "", Owner(0, 0)),
        ("jdk11-listening-inside", ViewKind.MACHINE, "", None),
        ("tomcat-inside", ViewKind.MACHINE, "", Owner(1001, 1001)),
        ("tomcat-host", ViewKind.SIDECAR, "/proc/19895/root", Owner(1001, 1001)),
    ],
)
def test_files_are_reached_as_root_of_the_machine_or_else_as_the_jvms_user(
    case: str, kind: ViewKind, prefix: str, user: Owner | None
) -> None:
    jvm = the_jvm_of(case)
    assert reach_of(View(HOST, kind), jvm) == Reach(HOST, prefix, user, jvm.pid)


def test_a_path_of_the_jvm_stands_behind_the_prefix() -> None:
    assert Reach(HOST, "/proc/7/root", None).path("/tmp/a b") == "/proc/7/root/tmp/a b"


def test_the_pid_in_the_container_is_the_second_for_who_looks_from_the_engines_host() -> None:
    jvm = the_jvm_of("not-pid1-host")
    assert in_a_container(jvm, kind=ViewKind.ENGINE_HOST).container_pid == 6
    nested = replace(jvm, nspids=(20253, 6, 2))
    assert in_a_container(nested, kind=ViewKind.ENGINE_HOST).container_pid == 6


def test_the_pid_in_the_container_is_the_one_that_is_seen_by_who_looks_from_inside() -> None:
    jvm = the_jvm_of("not-pid1-inside")
    assert in_a_container(jvm).container_pid == on_a_machine(jvm).container_pid == 6
    assert in_a_container(jvm, kind=ViewKind.SIDECAR).container_pid == 6


def test_inside_is_the_container_and_on_a_machine_the_machine() -> None:
    around = in_a_container(TOMCAT, kind=ViewKind.ENGINE_HOST)
    assert around.inside is not around.view.host
    alone = on_a_machine(TOMCAT)
    assert alone.inside is alone.view.host


@pytest.mark.parametrize(
    "case",
    [
        "tomcat-inside",
        "jdk25-listening-inside",
        "another-user-inside",
        "xrs-unknown-uid-inside",
        "docker-init-inside",
    ],
)
def test_a_jvm_that_listens_or_would_is_no_obstacle(case: str) -> None:
    assert attach_obstacle(the_jvm_of(case)) is None


QUIET = replace(TOMCAT, attach_listening=False)


@pytest.mark.parametrize(
    ("jvm", "says"),
    [
        (the_jvm_of("options-and-limit-inside"), "DisableAttachMechanism in JAVA_TOOL_OPTIONS"),
        (the_jvm_of("read-only-zgc-inside"), "its /tmp is read-only"),
        (the_jvm_of("stopped-stale-trigger-host"), "stopped (state T)"),
        (replace(TOMCAT, state="t"), "stopped (state t)"),
        (replace(TOMCAT, vm=Vm.OPENJ9), "OpenJ9"),
        (replace(TOMCAT, vm=Vm.UNKNOWN), "no libjvm.so"),
        (replace(QUIET, sigquit=SigQuit.DEFAULT), "does not catch SIGQUIT"),
        (replace(QUIET, sigquit=SigQuit.IGNORED), "does not catch SIGQUIT"),
    ],
    ids=["disabled", "read-only-tmp", "stopped", "traced", "openj9", "no-jvm", "xrs", "ignored"],
)
def test_what_no_client_could_pass_is_said_before_a_signal_is_sent(jvm: Jvm, says: str) -> None:
    assert says in str(attach_obstacle(jvm))


def mounts(*points: tuple[str, bool]) -> tuple[Mount, ...]:
    return tuple(Mount(point, "ext4", "/dev/vda", read_only) for point, read_only in points)


@pytest.mark.parametrize(
    ("layout", "free"),
    [
        (mounts(("/", True), ("/tmp", False)), True),
        (mounts(("/", False), ("/tmp", True)), False),
        (mounts(("/", True), ("/tmp/deep", False)), False),
        (mounts(("/", True), ("/tmpfiles", False)), False),
        (mounts(("/", False)), True),
        ((), True),
    ],
)
def test_the_mount_that_holds_tmp_decides_whether_a_socket_can_be_made(
    layout: tuple[Mount, ...], free: bool
) -> None:
    assert (attach_obstacle(replace(QUIET, mounts=layout)) is None) is free


def test_a_later_mount_over_the_same_point_is_the_one_that_counts() -> None:
    layout = mounts(("/", False), ("/tmp", True), ("/tmp", False))
    assert attach_obstacle(replace(QUIET, mounts=layout)) is None
