"""Recorded probes become the JVMs that a person read in them; damaged ones become none or an error."""

from __future__ import annotations

import pytest

from jvmdiag.jvm.parse import _may_write, parse_probe
from jvmdiag.model import Jvm, MemoryLimit, Mount, Owner, SigQuit, Vm
from tests.unit.jvm.probe_case import CASES, TOKEN, as_json, jvms_of, output_of, the_jvm_of

INSIDE = "jdk11-listening-inside"


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.out")))
def test_a_recorded_probe_gives_the_jvms_beside_it(case: str) -> None:
    assert as_json(jvms_of(case)) + "\n" == (CASES / f"{case}.json").read_text(encoding="utf-8")


def changed(old: bytes, new: bytes, case: str = INSIDE) -> bytes:
    output = output_of(case)
    assert output.count(old) == 1, old
    return output.replace(old, new)


def parsed(old: bytes, new: bytes, case: str = INSIDE) -> Jvm:
    [jvm] = parse_probe(changed(old, new, case), TOKEN)
    return jvm


def with_section(section: str, body: str) -> Jvm:
    """The JVM of the recorded probe with another body in one section."""
    output = output_of(INSIDE)
    mark = f"\n@@{TOKEN} {section} 1".encode()
    at = output.index(mark)
    end = output.index(f"\n@@{TOKEN} ".encode(), at + 1)
    [jvm] = parse_probe(output[:at] + mark + b"\n" + body.encode() + output[end:], TOKEN)
    return jvm


@pytest.mark.parametrize("kept", [0, 1, 500, 5_000, -1, -3])
def test_a_probe_that_is_cut_anywhere_is_an_error_and_not_fewer_jvms(kept: int) -> None:
    output = output_of(INSIDE).rstrip(b"\n")
    with pytest.raises(ValueError, match="did not run to its end"):
        parse_probe(output[:kept], TOKEN)


def test_the_output_of_another_probe_is_an_error() -> None:
    with pytest.raises(ValueError, match="did not run to its end"):
        parse_probe(output_of(INSIDE), "another-token")


def test_what_a_process_calls_itself_cannot_forge_a_section() -> None:
    forged = b"java\0-Dx=\n@@another-token end\n\0-Xmx128m\0"
    assert parsed(b"java\0-Xmx128m\0", forged).options[1] == "-Xmx128m"


def test_no_jvm_is_none_and_no_error() -> None:
    assert parse_probe(f"\n@@{TOKEN} self\n\n@@{TOKEN} end\n".encode(), TOKEN) == ()


def test_a_process_that_ended_meanwhile_is_left_out() -> None:
    output = output_of(INSIDE)
    at = output.index(f"\n@@{TOKEN} stat 1\n".encode())
    end = output.index(f"\n@@{TOKEN} cmdline 1\n".encode())
    assert parse_probe(output[:at] + f"\n@@{TOKEN} stat 1\n".encode() + output[end:], TOKEN) == ()


def test_a_zombie_is_left_out() -> None:
    assert parse_probe(changed(b"1 (java) S 0", b"1 (java) Z 0"), TOKEN) == ()


def test_a_name_with_blanks_and_parentheses_does_not_shift_the_fields() -> None:
    assert parsed(b"1 (java) S 0", b"1 (a) S 9 9) S 0").start_ticks == the_jvm_of(INSIDE).start_ticks


def test_the_innermost_of_several_pids_is_the_jvms_own() -> None:
    jvm = parsed(b"NSpid:\t1\n", b"NSpid:\t4711\t33\t7\n")
    assert (jvm.nspids, jvm.nspid) == ((4711, 33, 7), 7)


def test_a_kernel_without_nspid_leaves_the_pid_itself() -> None:
    assert parsed(b"NSpid:\t1\n", b"").nspids == (1,)


def test_the_effective_uid_and_gid_count() -> None:
    jvm = parsed(b"Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n", b"Uid:\t5\t6\t7\t8\nGid:\t9\t10\t11\t12\n")
    assert (str(jvm.owner), jvm.user) == ("6:10", "man")


@pytest.mark.parametrize(
    ("caught", "ignored", "expected"),
    [
        ("0000000000000004", "0000000000000000", SigQuit.CAUGHT),
        ("0000000000000000", "0000000000000004", SigQuit.IGNORED),
        ("fffffffffffffffb", "fffffffffffffffb", SigQuit.DEFAULT),
    ],
)
def test_what_sigquit_would_do_is_bit_three_of_the_masks(
    caught: str, ignored: str, expected: SigQuit
) -> None:
    status = f"Uid:\t0\t0\nGid:\t0\t0\nSigIgn:\t{ignored}\nSigCgt:\t{caught}\n"
    assert with_section("status", status).sigquit is expected


def test_what_sigquit_would_do_is_unknown_without_the_masks() -> None:
    assert with_section("status", "Uid:\t0\t0\nGid:\t0\t0\n").sigquit is SigQuit.UNKNOWN


@pytest.mark.parametrize(
    ("library", "vm"),
    [("libjvm.so\n", Vm.HOTSPOT), ("libj9vm29.so\n", Vm.OPENJ9), ("", Vm.UNKNOWN)],
)
def test_the_mapped_library_tells_the_vm(library: str, vm: Vm) -> None:
    assert with_section("library", library).vm is vm


def test_the_version_comes_from_the_release_file_where_perfdata_is_not_there() -> None:
    jvm = the_jvm_of("xrs-unknown-uid-inside")
    assert (jvm.version, jvm.major, jvm.heap) == ("11.0.13", 11, None)


def test_perfdata_of_another_user_is_taken_only_for_want_of_the_own() -> None:
    output = output_of(INSIDE)
    mark = f"\n@@{TOKEN} perfdata 1 1/root/tmp/hsperfdata_other/1\nno perfdata".encode()
    at = output.index(f"\n@@{TOKEN} perfdata 1 ".encode())
    [jvm] = parse_probe(output[:at] + mark + output[at:], TOKEN)
    assert jvm.heap == the_jvm_of(INSIDE).heap is not None


def test_a_mount_point_is_unescaped_and_its_type_is_behind_the_dash() -> None:
    line = (
        "333 316 254:0 /data /my\\040data\\134x rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n"
        "334 316 254:0 /x /frozen rw,relatime - ext4 /dev/vdb ro\n"
        "334 316 254:0 /x /bound ro,relatime - ext4 /dev/vdb rw\n"
        "a line that was cut 1 2 3\n"
    )
    assert with_section("mounts", line).mounts == (
        Mount("/my data\\x", "ext4", "/dev/vda", read_only=False),
        Mount("/frozen", "ext4", "/dev/vdb", read_only=True),
        Mount("/bound", "ext4", "/dev/vdb", read_only=True),
    )


@pytest.mark.parametrize(
    ("printed", "limit"),
    [
        ("1000\n400\ninactive_file 150\n", MemoryLimit(1000, 250)),
        ("1000\n400\ninactive_file 50\ntotal_inactive_file 150\n", MemoryLimit(1000, 250)),
        ("1000\n100\ninactive_file 150\n", MemoryLimit(1000, 0)),
        ("1000\n400\n", MemoryLimit(1000, 400)),
        ("max\n400\ninactive_file 150\n", None),
        ("9223372036854771712\n400\ninactive_file 150\n", None),
        ("", None),
    ],
    ids=["v2", "v1", "more-cache-than-use", "no-statistics", "v2-none", "v1-none", "nothing"],
)
def test_the_memory_limit_counts_no_reclaimable_cache_as_use(printed: str, limit: MemoryLimit | None) -> None:
    assert with_section("memory", printed).memory == limit


LATIN = b"/home/Andr\xe9"


@pytest.mark.parametrize("section", ["self", "interpreters", "uptime", "user"])
def test_what_the_place_says_may_be_of_any_encoding(section: str) -> None:
    mark = f"\n@@{TOKEN} {section}\n".encode()
    output = output_of(INSIDE)
    at = output.index(mark) + len(mark)
    text = b"9 " + LATIN if section == "uptime" else LATIN
    [jvm] = parse_probe(output[:at] + text + b"\n" + output[at:], TOKEN)
    assert jvm.main == "Load"


@pytest.mark.parametrize("section", ["cmdline", "links", "options", "passwd", "release", "mounts", "tools"])
def test_what_a_jvm_says_may_be_of_any_encoding(section: str) -> None:
    mark = f"\n@@{TOKEN} {section} 1\n".encode()
    output = output_of(INSIDE)
    at = output.index(mark) + len(mark)
    [jvm] = parse_probe(output[:at] + LATIN + b"=" + output[at:], TOKEN)
    assert jvm.pid == 1


def test_a_command_line_of_any_encoding_keeps_its_words() -> None:
    jvm = parsed(b"java\0-Xmx128m\0", b"java\0-Dhome=" + LATIN + b"\0")
    assert "-Dhome=/home/Andr\ufffd" in jvm.options


def test_a_path_of_a_tool_or_an_interpreter_may_hold_blanks() -> None:
    output = output_of(INSIDE)
    mark = f"\n@@{TOKEN} interpreters\n".encode()
    output = output.replace(mark, mark + b"/opt/my tools/python3\n")
    [jvm] = parse_probe(output, TOKEN)
    assert jvm.interpreters[0] == "/opt/my tools/python3"
    assert with_section("tools", "/opt/my java/bin/jcmd\n").tools == ("/opt/my java/bin/jcmd",)


def test_what_belongs_to_another_user_is_known_by_what_everybody_may_read() -> None:
    jvm = the_jvm_of("another-user-inside")
    assert (jvm.readable, jvm.main, jvm.state, jvm.vm) == (False, "Load", "S", Vm.UNKNOWN)


@pytest.mark.parametrize(
    ("mode_and_owner", "may"),
    [
        ("1777 0 0", True),
        ("755 0 0", False),
        ("700 1001 0", True),
        ("770 0 1001", True),
        ("750 0 1001", False),
        ("", True),
    ],
)
def test_a_directory_is_for_its_user_to_write_or_not(mode_and_owner: str, may: bool) -> None:
    assert _may_write(mode_and_owner, Owner(1001, 1001)) is may
    assert _may_write(mode_and_owner, Owner(0, 0)) is True
