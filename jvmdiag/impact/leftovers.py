"""What runs and others left on a target: one command looks, one removes what is still the same and used by nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import CommandRefused

_LOOK_S = 60.0


@dataclass(frozen=True)
class Lying:
    """One path of the target as it is now. `kind`: file, fifo, directory (with FIFOs in it or nothing), link, other,
    missing, or closed to the one who looked.

    `ending` of a heap dump: whole, cut, other (it begins as none does) or unknown; `user` is the pid of a process that
    has it open, or something in it, or names it in its command line, which is how a JVM is asked for a dump.
    """

    path: str
    kind: str
    uid: int
    age_s: float
    size_bytes: int
    inode: int
    ending: str = ""
    user: int | None = None

    @property
    def there(self) -> bool:
        return self.kind != "missing"


@dataclass(frozen=True)
class LyingThere:
    """`named` are the paths that were asked for, with the parts beside them; `others` what else is in the folders."""

    named: tuple[Lying, ...]
    others: tuple[Lying, ...]


@cache
def _script() -> str:
    return Path(__file__).with_name("leftovers.sh").read_text(encoding="utf-8")


def look_at(reach: Reach, paths: Sequence[str], directories: Sequence[str]) -> LyingThere:
    """What lies at `paths`, and dumps of whomever in `directories`. Costs one command. Changes nothing.

    Raises CommandRefused where the look did not run to its end.
    """
    questions = [*(f"look {path}" for path in paths), *(f"dir {folder}" for folder in directories)]
    return parse_look(_ask(reach, questions))


def remove(reach: Reach, lying: Sequence[Lying]) -> dict[str, str]:
    """Remove each, if it still is what was looked at and nobody uses it. One word for each path:
    removed, gone, busy, changed or refused. Raises CommandRefused."""
    lines = _ask(reach, [f"remove {one.inode} {one.size_bytes} {one.path}" for one in lying])
    words = (line.partition(" ")[::2] for line in lines)
    return {path: word for word, path in words if path and word != "now"}


def _ask(reach: Reach, questions: Sequence[str]) -> list[str]:
    stdin = "".join(f"{line}\n" for line in (*questions, "end")).encode("utf-8", "surrogateescape")
    argv = ["sh", "-c", _script(), "sh", reach.prefix]
    done = reach.host.run(argv, stdin=stdin, user=reach.user, timeout_s=_LOOK_S)
    lines = done.stdout.decode("utf-8", "surrogateescape").splitlines()
    if not lines or lines[-1] != "end":
        why = done.complaint or f"exit code {done.exit_code}"
        raise CommandRefused(f"what was left on {reach.host.name} could not be looked at", why=why)
    return lines


def parse_look(lines: Sequence[str]) -> LyingThere:
    """The value of what leftovers.sh printed. Pure."""
    now = next((int(line[4:]) for line in lines if line.startswith("now ") and line[4:].isdigit()), 0)
    return LyingThere(tuple(_lying(lines, "own", now)), tuple(_lying(lines, "other", now)))


def _lying(lines: Sequence[str], word: str, now_s: int) -> Iterator[Lying]:
    for line in lines:
        fields = line.split(" ", 8)
        # A name with a line break in it is somebody else's, and gives lines that are none.
        if fields[0] != word or len(fields) != 9 or not all(field.isdigit() for field in fields[2:6]):
            continue
        uid, modified, size_bytes, inode = (int(field) for field in fields[2:6])
        yield Lying(
            path=fields[8] if word == "own" else fields[8].replace("//", "/"),
            kind=fields[1],
            uid=uid,
            age_s=float(max(now_s - modified, 0)),
            size_bytes=size_bytes,
            inode=inode,
            ending="" if fields[6] == "-" else fields[6],
            user=int(fields[7]) if fields[7].isdigit() else None,
        )
