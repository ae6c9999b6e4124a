"""What lies around a JVM already: recordings, logs of the collector, error files, dumps, logs of the server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import PurePosixPath

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import CommandRefused
from jvmdiag.model import Jvm
from jvmdiag.snapshot.kernel import run_script
from jvmdiag.units import duration, size

_TIMEOUT_S = 20.0
_REGULAR, _KIND_OF_FILE = 0x8000, 0xF000
APACHE_DIRECTORIES = ("/var/log/apache2", "/var/log/httpd", "/usr/local/apache2/logs")
# What found.sh prints. A name may hold a line break, and behind it whatever it likes.
_LINE = re.compile(r"(there|log|closed) ([0-9a-f]{1,8}) ([0-9]{1,20}) ([0-9]{1,20}) (.+)")
_OPEN = re.compile(r"fd ([0-9]{1,10}) (/.+)")
_AT = re.compile(r"at ([0-9]{1,10}) ([0-9a-f]{1,8}) ([0-9]{1,20}) ([0-9]{1,20})")
_MORE = re.compile(r"^more ([0-9]{1,10})$", re.MULTILINE)
_NOW = re.compile(r"^now ([0-9]{1,20})$", re.MULTILINE)
# -Xlog:gc*:file=/path:time:filecount=5; a path with a colon is quoted.
_GC_FILE = re.compile(r"-Xlog:[^:]*gc[^:]*:(?:file=)?(?:\"([^\"]+)\"|([^:]+))|-Xloggc:([^:]+)")


class Kind(str, Enum):
    """What a file is, by its name or by the option that names it."""

    HEAP_DUMP = "heap dump"
    RECORDING = "flight recording"
    GC_LOG = "GC log"
    ERROR_FILE = "error file"
    CORE = "core"
    LOG = "log"


_BY_NAME = (
    (re.compile(r".*\.hprof(\..+)?\Z"), Kind.HEAP_DUMP),
    (re.compile(r".*\.jfr\Z"), Kind.RECORDING),
    (re.compile(r"(hs_err|replay)_pid.*|javacore.*"), Kind.ERROR_FILE),
    (re.compile(r"core(\..+)?\Z"), Kind.CORE),
    (re.compile(r".*gc.*\.log(\.\d+)?(\.current)?\Z", re.IGNORECASE), Kind.GC_LOG),
    (re.compile(r".*(\.log|\.out|\.txt|_log|\.log\.\d+)\Z"), Kind.LOG),
)


@dataclass(frozen=True)
class Found:
    """A file. `path` is that of the JVM's own mount namespace; `descriptor` that under which the JVM has it open, else
    None."""

    kind: Kind
    path: str
    size_bytes: int
    age_s: float
    descriptor: int | None = None

    @property
    def name(self) -> str:
        return PurePosixPath(self.path.removesuffix(" (deleted)")).name


@dataclass(frozen=True)
class Lying:
    """All that was found, and the directories that this user may not look into. `passed_over` is how many files with
    such names were too many to be looked at."""

    files: tuple[Found, ...] = ()
    closed: tuple[str, ...] = ()
    passed_over: int = 0

    @property
    def logs(self) -> tuple[Found, ...]:
        """Those of the server, the last written first."""
        return tuple(sorted((one for one in self.files if one.kind is Kind.LOG), key=lambda one: one.age_s))

    @property
    def left(self) -> tuple[Found, ...]:
        """What the JVM left: all that is no log of the server."""
        return tuple(one for one in self.files if one.kind is not Kind.LOG)


def words_for(jvm: Jvm) -> tuple[str, ...]:
    """What found.sh is to look through, by the JVM's options: `dump:DIR` and `log:DIR`."""
    dumps = ["/tmp", jvm.cwd, *_option_directories(jvm)]
    bases = [
        option.partition("=")[2]
        for option in jvm.options
        if option.startswith(("-Dcatalina.base=", "-Dcatalina.home="))
    ]
    logs = [f"{base}/logs" for base in bases] or [f"{jvm.cwd}/logs"]
    return tuple(
        dict.fromkeys(
            [f"dump:{one}" for one in dumps if one.startswith("/")]
            + [f"log:{one}" for one in logs if one.startswith("/")]
        )
    )


def _option_directories(jvm: Jvm) -> Iterator[str]:
    for option in jvm.options:
        name, _, value = option.partition("=")
        if name == "-XX:HeapDumpPath":
            # A directory, or a file.
            yield from (_inside(jvm, value), _inside(jvm, str(PurePosixPath(value).parent)))
        elif name == "-XX:ErrorFile":
            yield _inside(jvm, str(PurePosixPath(value).parent))
        elif name in ("-XX:StartFlightRecording", "-XX:FlightRecorderOptions"):
            for key, _, path in (part.partition("=") for part in value.split(",")):
                if key in ("filename", "repository") and path:
                    yield from (_inside(jvm, path), _inside(jvm, str(PurePosixPath(path).parent)))
        elif found := _GC_FILE.match(option):
            path = next(group for group in found.groups() if group)
            if path not in ("stdout", "stderr"):
                yield _inside(jvm, str(PurePosixPath(path).parent))
        elif name == "-Djava.io.tmpdir":
            yield _inside(jvm, value)


def _inside(jvm: Jvm, path: str) -> str:
    """A relative path of an option is one of its working directory."""
    return str(PurePosixPath(jvm.cwd or "/") / path)


def look_around(reach: Reach, pid: int, words: Sequence[str]) -> Lying:
    """Costs one command. Raises CommandRefused where it did not run to its end."""
    text = run_script(reach, "found.sh", (str(pid), reach.prefix, *words), _TIMEOUT_S)
    return parse_found(text.decode("utf-8", "replace"), reach.prefix)


def parse_found(text: str, prefix: str = "") -> Lying:
    """The value of what found.sh printed. Raises CommandRefused where its last line is missing. Pure."""
    lines = text.splitlines()
    if "end" not in lines:
        raise CommandRefused("what lies around the JVM could not be listed to its end")
    now = int(said[1]) if (said := _NOW.search(text)) else 0
    files: dict[str, Found] = {}
    # One that is open is known by its descriptor too.
    for found in _open(lines, now):
        files.setdefault(found.path, found)
    closed = []
    for what, *facts, path in (said.groups() for line in lines if (said := _LINE.fullmatch(line))):
        if what == "closed":
            closed.append(path)
        elif lying := _found(path.removeprefix(prefix), facts, now, logs=what == "log"):
            files.setdefault(lying.path, lying)
    return Lying(tuple(files.values()), tuple(closed), sum(map(int, _MORE.findall(text))))


def _open(lines: Sequence[str], now: int) -> Iterator[Found]:
    """What the JVM has open, in the order of the lines that name it."""
    facts = {said[1]: said.groups()[1:] for line in lines if (said := _AT.fullmatch(line))}
    for said in (said for line in lines if (said := _OPEN.fullmatch(line))):
        found = _found(said[2], facts[said[1]], now, logs=True) if said[1] in facts else None
        if found:
            yield replace(found, descriptor=int(said[1]))


def _found(path: str, facts: Sequence[str], now: int, *, logs: bool) -> Found | None:
    """By its path, and by mode, time and size; None for what is no regular file, or nothing by its name."""
    mode, changed, size_bytes = facts
    kind = kind_of(path)
    if int(mode, 16) & _KIND_OF_FILE != _REGULAR or kind is None or (kind is Kind.LOG and not logs):
        return None
    return Found(kind, path, int(size_bytes), float(max(now - int(changed), 0)))


def kind_of(path: str) -> Kind | None:
    """By its name; None for what is nothing to us."""
    name = PurePosixPath(path.removesuffix(" (deleted)")).name
    return next((kind for form, kind in _BY_NAME if form.fullmatch(name)), None)


def found_text(lying: Lying) -> str:
    """A line for each file, what the JVM left first."""
    lines = [
        f"{one.kind.value:<17} {size(one.size_bytes):>8}  {duration(one.age_s):>9} ago  {one.path}"
        + ("" if one.descriptor is None else "  (open)")
        for one in (*lying.left, *lying.logs)
    ]
    if lying.passed_over:
        lines.append(f"not looked at: {lying.passed_over:,} more files with such names")
    lines += [f"not looked into: {directory} is not for this user to read" for directory in lying.closed]
    return "\n".join((*(lines or ["nothing was found"]), ""))
