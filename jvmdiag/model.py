"""The frozen dataclasses that cross rooms. No I/O, nothing of third parties."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Owner:
    """Effective uid and gid, as numbered where the process is looked at."""

    uid: int
    gid: int

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}"


def owner_of(text: str) -> Owner:
    """Of "UID:GID". Raises ValueError."""
    uid, gid = text.split(":")
    return Owner(int(uid), int(gid))


class _Ended:
    """A command's end, of which the last word on stderr can be told."""

    stderr: bytes

    @property
    def complaint(self) -> str:
        """The last line of stderr, for a message; empty where there is none."""
        lines = self.stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else ""


@dataclass(frozen=True)
class Completed(_Ended):
    """A command that ran to its end. `exit_code` is 128 + n where signal n ended it."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")


@dataclass(frozen=True)
class StreamEnd(_Ended):
    """How a stream ended. `exit_code` is None where the far side could not say (cut)."""

    exit_code: int | None
    stderr: bytes
    size_bytes: int


@dataclass(frozen=True)
class CommandRecord:
    """One command run on the target: for -v and for the manifest. Never holds what went to stdin."""

    host: str
    argv: tuple[str, ...]
    user: str | None
    exit_code: int | None
    seconds: float
    note: str = ""


class Vm(str, Enum):
    """The virtual machine by the library that is mapped into the process."""

    HOTSPOT = "HotSpot"
    OPENJ9 = "OpenJ9"
    UNKNOWN = "unknown"


class SigQuit(str, Enum):
    """What SIGQUIT would do to the process: only CAUGHT makes a JVM print a thread dump."""

    CAUGHT = "caught"
    IGNORED = "ignored"
    DEFAULT = "default"  # it would end the process
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Heap:
    """Sizes in bytes; `max_bytes` is None where the JVM does not publish it."""

    used_bytes: int
    committed_bytes: int
    max_bytes: int | None


@dataclass(frozen=True)
class Mount:
    """One line of /proc/PID/mountinfo: where, of which type, with which options."""

    point: str
    fstype: str
    source: str
    read_only: bool

    @property
    def in_memory(self) -> bool:
        return self.fstype in ("tmpfs", "ramfs", "devtmpfs")


@dataclass(frozen=True)
class MemoryLimit:
    """The cgroup's memory limit and use, in bytes, reclaimable page cache not counted as use."""

    limit_bytes: int
    used_bytes: int


@dataclass(frozen=True)
class HealthProbe:
    """Who watches over the process from outside, and after how many seconds of its silence `then` may happen."""

    by: str
    silent_s: float
    then: str
    kills: bool


@dataclass(frozen=True)
class Jvm:
    """A JVM as one place sees it: `pid` counts in that place's PID namespace.

    `pid` with `start_ticks` is its identity: a pid alone may be another process a second later.
    Paths are those of the JVM's own mount namespace. `readable` says whether /proc/PID/root,
    maps and environ could be read from that place; where not, everything that needs them is empty.
    """

    pid: int
    nspids: tuple[int, ...]
    """The pid in each nested PID namespace, outermost first; the last is the JVM's own."""
    start_ticks: int
    owner: Owner
    user: str
    state: str
    """The letter of /proc/PID/stat: R, S, D, T (stopped), t (traced), Z."""
    vm: Vm
    java: str
    java_home: str
    command: tuple[str, ...]
    main: str
    cwd: str
    uptime_s: float
    threads: int
    rss_bytes: int
    sigquit: SigQuit
    readable: bool
    seen_as_root: bool
    """Whether the one who looked is uid 0 at the place that looked."""
    version: str | None = None
    vm_name: str | None = None
    options: tuple[str, ...] = ()
    """Every JVM option in force, also those of JAVA_TOOL_OPTIONS and its kin; values not masked."""
    heap: Heap | None = None
    collector: str | None = None
    """G1, Parallel, Serial, Z or Shenandoah; None where it is not known."""
    perfdata: str | None = None
    """The path of its performance data file in its own mount namespace, or None."""
    attach_disabled_by: str | None = None
    """Where DisableAttachMechanism was set, or None."""
    attach_listening: bool = False
    stale_trigger: str | None = None
    """An .attach_pidN file that a failed attempt left, or None."""
    tools: tuple[str, ...] = ()
    """Which of jcmd jstack jmap jps stand beside its java."""
    tmp_is_ours: bool = True
    """Whether the mode of its /tmp lets its user make files there."""
    shell: bool = False
    """Whether there is a /bin/sh in its mount namespace."""
    jcmd_module: bool = False
    """Whether its runtime image carries the module jdk.jcmd."""
    interpreters: tuple[str, ...] = ()
    """Paths of python3 and perl at the place that looked."""
    mounts: tuple[Mount, ...] = ()
    memory: MemoryLimit | None = None
    stdout: str = ""
    """What /proc/PID/fd/1 points at: a path, pipe:[N], socket:[N], or empty."""
    stdout_is_of_pid1: bool = False
    mnt_ns: str = ""
    shares_mnt_ns: bool = False
    """Whether the place that looked is in the JVM's mount namespace."""

    @property
    def nspid(self) -> int:
        """Its pid as it knows itself: the number in .attach_pidN and .java_pidN."""
        return self.nspids[-1]

    @property
    def major(self) -> int | None:
        """11 of 11.0.13, 8 of 1.8.0_392; None where the version is not known."""
        if not self.version:
            return None
        head, _, rest = self.version.partition(".")
        number = rest.partition(".")[0] if head == "1" else head
        digits = "".join(c for c in number if c.isdigit())
        return int(digits) if digits else None


@dataclass(frozen=True)
class Witness:
    """One independent statement about a file: who says it, whether it agrees, and what it says."""

    name: str
    agrees: bool
    detail: str


@dataclass(frozen=True)
class Pause:
    """How long a question of ours stopped every thread of the JVM, by the JVM's own counters.

    `collections` are those of the garbage collector between the two readings, and the seconds that they took.
    `exact` is false where more safepoints were counted than the question takes: the application's own
    (a collection, say) fell in, and `seconds` is "at most".
    """

    seconds: float
    reaching_s: float
    safepoints: int
    exact: bool
    collections: int = 0
    collecting_s: float = 0.0


@dataclass(frozen=True)
class Forecast:
    """How long a question will stop every thread of the JVM: a range in seconds, and in words what it goes by."""

    low_s: float
    high_s: float
    basis: str


@dataclass(frozen=True)
class Dip:
    """What came of a rate during a capture. `during_per_s` is its mean while the JVM was busy with the question,
    `still_s` how long it was under 5 % of before, `recovered_s` from the beginning of that to 95 % again; None
    where that was not seen."""

    before_per_s: float
    during_per_s: float
    lowest_per_s: float
    still_s: float
    recovered_s: float | None


@dataclass(frozen=True)
class ProbeToll:
    """What a probe waited: usually before, at most since; how many of its requests failed since."""

    usual_s: float
    longest_s: float
    errors: int

    @property
    def stopped_s(self) -> float:
        """How long an answer was held up: the pause but for at most the 100 ms between two requests."""
        return max(self.longest_s - self.usual_s, 0)


@dataclass(frozen=True)
class CostSample:
    """Counters of the kernel at `at_s`, in seconds from the question; those that say `now` do not count up."""

    at_s: float
    cpu_s: float
    throttled_s: float | None
    segments_out: int | None
    segments_resent: int | None
    received_bytes: int
    sent_bytes: int
    connections_now: int | None
    connections_dropped: int | None
    running_now: int | None
    disk_busy_s: float | None
    disk_written_bytes: int | None


@dataclass(frozen=True)
class LoggedSecond:
    """One second of an access log: `at_s` is its beginning, in seconds from the question."""

    at_s: float
    requests: int
    errors: int


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a capture cost the traffic and the machine around the JVM, seen from outside. None: not known.

    `source` says what `traffic` was counted by: an access log, TCP segments, or both; `unit` what was counted.
    """

    asked_at: str = ""
    """When the question was put, by the clock of the machine that put it: ISO 8601 in UTC."""
    took_s: float = 0.0
    """How long the JVM took to answer it."""
    source: str = ""
    unit: str = ""
    traffic: Dip | None = None
    rates: tuple[float, ...] = ()
    """The rate from before the question to the end, in steps of 0.4 s or a whole second."""
    errors: int | None = None
    """Requests that the access log has with a 5xx, from the question to ten seconds after its answer."""
    errors_before: int | None = None
    """The same in the ten seconds before."""
    connections_dropped: int | None = None
    probe: ProbeToll | None = None
    probe_note: str = ""
    """Why there is no `probe` although one was asked for."""
    cut: bool = False
    """Whether the watching ended before the answer was there: what came then was not seen."""
    cpu_before: float | None = None
    """CPUs that the JVM kept busy before."""
    cpu_during: float | None = None
    throttled_s: float | None = None
    """How long its CPU quota held the JVM up while it dealt with the question."""
    running_most: int | None = None
    """Runnable threads of the whole machine, at most."""
    sampling_interval_s: float
    sampling_cpu_s: float | None = None
    """CPU time that the sampling took on the target."""
    sampled_s: float
    samples: tuple[CostSample, ...] = ()
    logged: tuple[LoggedSecond, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """A file on this machine that was vouched for. Sizes in bytes, sums in hex."""

    path: str
    kind: str
    codec: str
    raw_bytes: int
    stored_bytes: int
    raw_sha256: str
    stored_sha256: str
    witnesses: tuple[Witness, ...] = ()


@dataclass(frozen=True)
class LeftBehind:
    """Something that could not be undone on the target, and the command that undoes it."""

    what: str
    where: str
    remove: str
