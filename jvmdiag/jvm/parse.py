"""What probe.sh printed, as Jvm values. Pure: a bug report becomes a file of tests/data/probe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from jvmdiag.jvm.options import attach_disabled_by, split_command, split_variable
from jvmdiag.jvm.perfdata import collector_of, heap_of, parse_perfdata
from jvmdiag.model import Jvm, MemoryLimit, Mount, Owner, SigQuit, Vm

Sections = dict[tuple[str, ...], bytes]
# Linux counts process start times in hundredths of a second on every architecture Java runs on.
_TICKS_PER_S = 100
_SIGQUIT_BIT = 1 << 2
# A v1 limit of "none" is the largest multiple of the page size below 2**63.
_NO_LIMIT = 1 << 60


def parse_probe(data: bytes, token: str) -> tuple[Jvm, ...]:
    """The JVMs in the output of probe.sh. Processes that ended meanwhile, and zombies, are left out.

    Raises ValueError where the output is cut.
    """
    sections = _split(data, token)
    if ("end",) not in sections:
        raise ValueError("the probe did not run to its end")
    pids = [key[1] for key in sections if key[0] == "status"]
    jvms = (_jvm(pid, sections) for pid in pids if _complete(pid, sections))
    return tuple(sorted((j for j in jvms if j.state != "Z"), key=lambda j: j.pid))


def _split(data: bytes, token: str) -> Sections:
    sections: Sections = {}
    for part in data.split(b"\n@@" + token.encode() + b" ")[1:]:
        head, _, body = part.partition(b"\n")
        sections[tuple(head.decode("utf-8", "replace").split(" ", 2))] = body
    return sections


def _complete(pid: str, sections: Sections) -> bool:
    return all(sections.get((name, pid)) for name in ("status", "stat", "cmdline"))


@dataclass(frozen=True)
class _Told:
    """What the probe told of one process. Paths, names and arguments are bytes of any encoding."""

    pid: str
    sections: Sections

    def text(self, name: str) -> str:
        return self._decoded(name, self.pid)

    def common(self, name: str) -> str:
        """A section that is about the place that looked."""
        return self._decoded(name)

    def _decoded(self, *key: str) -> str:
        return self.sections.get(key, b"").decode("utf-8", "replace")


def _jvm(pid: str, sections: Sections) -> Jvm:
    told = _Told(pid, sections)
    jvm = _process(told)
    for add in (_with_options, _with_runtime, _with_attach, _with_surroundings):
        jvm = add(jvm, told)
    return jvm


def _process(told: _Told) -> Jvm:
    """What everybody may read of a process, and which VM it is."""
    status = _status(told.text("status"))
    state, start_ticks = _stat(told.text("stat"))
    java, cwd, *_ = _lines(told.text("links"), 4)
    command = tuple(told.text("cmdline").rstrip("\0").split("\0"))
    owner = Owner(_numbers(status.get("Uid", ""))[1], _numbers(status.get("Gid", ""))[1])
    return Jvm(
        pid=int(told.pid),
        nspids=tuple(_numbers(status.get("NSpid", told.pid))) or (int(told.pid),),
        start_ticks=start_ticks,
        owner=owner,
        user=_user_name(owner.uid, told.text("passwd")),
        state=state,
        vm=_vm(told.text("library")),
        java=java,
        java_home=_home(java),
        command=command,
        main=split_command(command)[1],
        cwd=cwd,
        uptime_s=_uptime_s(told.common("uptime"), start_ticks),
        threads=int(status.get("Threads", "0")),
        rss_bytes=(_numbers(status.get("VmRSS", "0")) or [0])[0] * 1024,
        sigquit=_sigquit(status),
        readable=("readable", told.pid) in told.sections,
        seen_as_root=told.common("user").split()[:1] == ["0"],
    )


def _with_options(jvm: Jvm, told: _Told) -> Jvm:
    variables = _variables(told.text("options"))
    # In the order in which the JVM reads them: the last word counts.
    sources = (
        ("JAVA_TOOL_OPTIONS", variables.get("JAVA_TOOL_OPTIONS", ())),
        ("JDK_JAVA_OPTIONS", variables.get("JDK_JAVA_OPTIONS", ())),
        ("its command line", split_command(jvm.command)[0]),
        ("_JAVA_OPTIONS", variables.get("_JAVA_OPTIONS", ())),
    )
    options = tuple(option for _, words in sources for option in words)
    return replace(jvm, options=options, attach_disabled_by=attach_disabled_by(sources))


def _with_runtime(jvm: Jvm, told: _Told) -> Jvm:
    """What its performance data and the `release` file of its Java home say."""
    release = _release(told.text("release"))
    path, counters = _perfdata(told.pid, jvm.owner, told.text("passwd"), told.sections)
    return replace(
        jvm,
        version=str(counters.get("java.property.java.version") or "") or release.get("JAVA_VERSION"),
        vm_name=str(counters.get("java.property.java.vm.name") or "") or None,
        heap=heap_of(counters),
        collector=collector_of(counters) or _collector_asked_for(jvm.options),
        perfdata=path,
        jcmd_module="jdk.jcmd" in release.get("MODULES", "").split(),
        tools=tuple(told.text("tools").splitlines()),
    )


def _with_attach(jvm: Jvm, told: _Told) -> Jvm:
    """What decides whether and by whom it can be attached to."""
    return replace(
        jvm,
        attach_listening=bool(told.text("listening").strip()),
        stale_trigger=told.text("trigger").strip().partition("\n")[0] or None,
        tmp_is_ours=_may_write(told.text("tmp"), jvm.owner),
        shell=bool(told.text("shell").strip()),
        interpreters=tuple(told.common("interpreters").splitlines()),
    )


def _with_surroundings(jvm: Jvm, told: _Told) -> Jvm:
    """Its mounts, its memory limit, its stdout and its mount namespace."""
    self_mnt, stdout_of_pid1 = _lines(told.common("self"), 2)
    _, _, mnt_ns, stdout = _lines(told.text("links"), 4)
    return replace(
        jvm,
        mounts=_mounts(told.text("mounts")),
        memory=_memory(told.text("memory")),
        stdout=stdout,
        stdout_is_of_pid1=bool(stdout) and stdout == stdout_of_pid1,
        mnt_ns=mnt_ns,
        shares_mnt_ns=bool(mnt_ns) and mnt_ns == self_mnt,
    )


def _uptime_s(uptime: str, start_ticks: int) -> float:
    since_boot_s = float((uptime.split() or ["0"])[0])
    return max(since_boot_s - start_ticks / _TICKS_PER_S, 0.0)


def _status(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {key: value.strip() for key, _, value in pairs}


def _stat(text: str) -> tuple[str, int]:
    # The name in parentheses may hold blanks and parentheses: the fields count from the last one.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def _lines(text: str, count: int) -> list[str]:
    lines = text.split("\n")
    return [*lines, *[""] * count][:count]


def _numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text)]


def _sigquit(status: dict[str, str]) -> SigQuit:
    if "SigCgt" not in status:
        return SigQuit.UNKNOWN
    if int(status["SigCgt"], 16) & _SIGQUIT_BIT:
        return SigQuit.CAUGHT
    return SigQuit.IGNORED if int(status.get("SigIgn", "0"), 16) & _SIGQUIT_BIT else SigQuit.DEFAULT


def _may_write(mode_and_owner: str, owner: Owner) -> bool:
    """Whether `owner` may make files in a directory of that mode, uid and gid; true where it is not known."""
    words = mode_and_owner.split()
    if len(words) != 3 or owner.uid == 0:
        return True
    mode, uid, gid = int(words[0], 8), int(words[1]), int(words[2])
    shift = 6 if uid == owner.uid else 3 if gid == owner.gid else 0
    return bool(mode >> shift & 2)


def _vm(library: str) -> Vm:
    if "libj9vm" in library:
        return Vm.OPENJ9
    return Vm.HOTSPOT if "libjvm" in library else Vm.UNKNOWN


def _home(java: str) -> str:
    path = PurePosixPath(java)
    return str(path.parent.parent) if path.parent.name == "bin" else ""


def _variables(text: str) -> dict[str, tuple[str, ...]]:
    pairs = (line.partition("=") for line in text.splitlines() if line)
    return {name: split_variable(value) for name, _, value in pairs}


def _release(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: value.strip().strip('"') for key, _, value in pairs}


def _collector_asked_for(options: Sequence[str]) -> str | None:
    """G1 of -XX:+UseG1GC; the last one counts."""
    found = re.findall(r"^-XX:\+Use(G1|Parallel|Serial|Z|Shenandoah)GC$", "\n".join(options), re.MULTILINE)
    return found[-1] if found else None


def _user_name(uid: int, passwd: str) -> str:
    for line in passwd.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2] == str(uid):
            return fields[0]
    return str(uid)


def _perfdata(
    pid: str, owner: Owner, passwd: str, sections: Sections
) -> tuple[str | None, dict[str, int | str]]:
    """The path of its own file behind the JVM's root, and counters; None where that file is not its user's."""
    mine = f"/hsperfdata_{_user_name(owner.uid, passwd)}/"
    found = [
        (key[2], body) for key, body in sections.items() if len(key) == 3 and key[:2] == ("perfdata", pid)
    ]
    # Another user's process may have left a file of the same pid.
    found.sort(key=lambda one: mine not in one[0])
    counters = parse_perfdata(found[0][1]) if found else {}
    is_mine = bool(counters) and mine in found[0][0]
    return (found[0][0].partition("/root")[2] if is_mine else None), counters


def _mounts(text: str) -> tuple[Mount, ...]:
    return tuple(m for m in map(_mount, text.splitlines()) if m is not None)


def _mount(line: str) -> Mount | None:
    left, _, right = line.partition(" - ")
    fields, behind = left.split(), right.split()
    if len(fields) < 6 or len(behind) < 2:
        return None
    options = {*fields[5].split(","), *behind[-1].split(",")}
    return Mount(_unescape(fields[4]), behind[0], behind[1], "ro" in options)


def _unescape(point: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), point)


def _memory(text: str) -> MemoryLimit | None:
    """The tightest of the limits that were printed: limit, use, and optionally inactive_file."""
    found: list[MemoryLimit] = []
    words = text.split()
    for at, word in enumerate(words):
        if word.isdigit() and at + 1 < len(words) and words[at + 1].isdigit() and not _is_stat(words, at):
            cache = _reclaimable(words[at + 2 : at + 6])
            found.append(MemoryLimit(int(word), max(int(words[at + 1]) - cache, 0)))
            break
    limited = [m for m in found if m.limit_bytes < _NO_LIMIT]
    return min(limited, key=lambda m: m.limit_bytes) if limited else None


def _is_stat(words: Sequence[str], at: int) -> bool:
    return at > 0 and words[at - 1].endswith("inactive_file")


def _reclaimable(words: Sequence[str]) -> int:
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    total = pairs.get("total_inactive_file", pairs.get("inactive_file", "0"))
    return int(total) if total.isdigit() else 0
