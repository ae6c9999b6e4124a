"""A dump on the target that is not being asked for any more: whether it is written to its end, its sums, its bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

from jvmdiag.attach.rung import Reach
from jvmdiag.capture.patience import MAY_PASS, Patience
from jvmdiag.errors import DumpIncomplete, NoSuchFile, TransferCut
from jvmdiag.model import Completed

# A JVM of 22 and later closes its parts before it opens the file again to merge them: one look is none.
_LOOKS = 3
_COMES_WITHIN_S = 30.0
# 3.5 s a GB by Debian's sha256sum.
_SUM_TIMEOUT_S = 1800.0
# $1 the file as it is reached, $2 its name, $3 the JVM's pid there, 0 where it is gone. Descriptors show the name as
# the JVM knows it, and those of a file that is removed say so behind it.
_LOOK = """
if [ "$3" != 0 ] && ls -l "/proc/$3/fd" 2>/dev/null | grep -q -F -- "$2"; then echo writing; exit; fi
d=${1%/*}
[ -e "$1" ] || { [ -d "${d:-/}" ] && echo missing || echo unreachable; exit; }
[ -r "$1" ] || { echo closed; exit; }
echo "size $(($(wc -c <"$1")))"
"""
# A JVM of 22 and later writes its segments beside the file and merges them: .p0 and on, one a thread; 3/8 of its CPUs.
_PARTS = tuple(f".p{number}" for number in range(96))
# Behind the /proc/PID/root of a JVM that is gone rm finds nothing, and calls that a success.
_REMOVE = 'd=${1%/*}; [ -d "${d:-/}" ] && rm -f -- "$@"'
# For each line on stdin, "SKIP COUNT" in MiB, the sum of that part. A sum hides that what feeds it was killed.
_SUMS = """
command -v sha256sum >/dev/null || exit 3
while read -r skip count; do
    sum=$({ dd if="$1" bs=1048576 skip="$skip" count="$count" 2>/dev/null || echo cut >&2; } | sha256sum) || exit 1
    echo "${sum%% *}"
done
"""
_MIB = 1 << 20


class Dump(Protocol):
    """A dump that is there: a FarFile, or what an engine still has of a container that is no more running."""

    @property
    def is_guarded(self) -> bool: ...

    def written(self, timeout_s: float) -> int: ...

    def sums(self, parts: list[tuple[int, int]]) -> list[str] | None: ...

    def chunks(self, offset: int) -> Iterator[bytes]: ...

    def remove(self) -> bool: ...


def read_on(
    dump: Dump, offset: int, reopen: Callable[[], Dump], patience: Patience
) -> Generator[bytes, None, None]:
    """Its bytes from `offset` to its end, over as many connections as it takes. Raises as `Patience.wait` does."""
    while True:
        try:
            for chunk in dump.chunks(offset):
                offset += len(chunk)
                patience.moved()
                yield chunk
            return
        except MAY_PASS as error:
            dump = patience.until(reopen, error)


@dataclass(frozen=True)
class FarFile:
    """`path` is that in the JVM's own mount namespace. Who waits for it looks every `look_s`."""

    reach: Reach
    path: str
    look_s: float = 0.4

    @property
    def is_guarded(self) -> bool:
        """As `Host.is_guarded`."""
        return self.reach.host.is_guarded

    def written(self, timeout_s: float) -> int:
        """Its size, once no JVM has it open any more; a file that is not there yet is waited for.

        Raises DumpIncomplete where it is still being written after `timeout_s`, NoSuchFile where there is none.
        """
        started, same, last = time.monotonic(), 0, ""
        while True:
            state = self._look()
            same, last = (same + 1 if state == last else 1), state
            if state.startswith("size") and same >= (_LOOKS if self.reach.pid else 1):
                return int(state.split()[1])
            self._require_hope(state, time.monotonic() - started, timeout_s)
            time.sleep(self.look_s)

    def _require_hope(self, state: str, spent_s: float, timeout_s: float) -> None:
        """Raises where waiting on will not help, or has been long enough."""
        none_to_come = self.reach.pid is None or spent_s > _COMES_WITHIN_S
        if state in ("closed", "unreachable") or (state == "missing" and none_to_come):
            raise self._none(state)
        if spent_s > timeout_s:
            raise DumpIncomplete(f"the JVM is still writing {self.path} after {timeout_s:g} s")

    def _look(self) -> str:
        name, pid = self.path.rpartition("/")[2], str(self.reach.pid or 0)
        done = self._run(_LOOK, self.reach.path(self.path), name, pid)
        if not done.ok:
            raise NoSuchFile(f"{self.path} on {self.reach.host.name} cannot be looked at", why=done.complaint)
        return done.text.strip()

    def is_written_on(self) -> bool:
        """Whether its JVM has it open. Raises ConnectionLost, TimeoutError."""
        return self._look() == "writing"

    def ends_well(self) -> bool:
        """Whether it ends with HEAP_DUMP_END. Raises ConnectionLost, TimeoutError."""
        end = self._run('tail -c 9 "$1"', self.reach.path(self.path)).stdout
        # A record is its tag, four bytes of time, and the length of what follows.
        return (end[:1], end[5:]) == (b"\x2c", bytes(4))

    def _none(self, state: str) -> NoSuchFile:
        same = "take the same way in as before: user, --sudo, -i"
        if state == "closed":
            return NoSuchFile(
                f"{self.path} on {self.reach.host.name} is not for this user to read", advice=same
            )
        why = (
            "its directory is gone"
            if state == "unreachable"
            else "it was removed, or its container made anew"
        )
        return NoSuchFile(f"{self.path} is not on {self.reach.host.name}", why=why)

    def sums(self, parts: list[tuple[int, int]]) -> list[str] | None:
        """The sha256 of each part (offset, bytes), taken there; None where the target has no sha256sum.

        Offsets are of whole MiB, and so are sizes but for a part at the end. Raises TransferCut where it was cut.
        """
        asked = "".join(f"{at // _MIB} {-(-size // _MIB)}\n" for at, size in parts).encode()
        argv = ["sh", "-c", _SUMS, "sh", self.reach.path(self.path)]
        done = self.reach.host.run(argv, stdin=asked, user=self.reach.user, timeout_s=_SUM_TIMEOUT_S)
        if done.stderr:
            raise TransferCut(f"the sum of {self.path} could not be taken", why=done.complaint)
        return done.text.split() if done.ok else None

    def chunks(self, offset: int) -> Iterator[bytes]:
        """Its bytes from `offset` to its end. Raises TransferCut, ConnectionLost."""
        argv = ["tail", "-c", f"+{offset + 1}", self.reach.path(self.path)]
        with self.reach.host.stream(argv, user=self.reach.user) as stream:
            yield from stream
            end = stream.finish()
        if end.exit_code != 0:
            raise TransferCut(
                f"the stream of {self.path} was cut", why=end.complaint or f"exit code {end.exit_code}"
            )

    @property
    def paths(self) -> list[str]:
        """As they are reached: its own, and those of the parts that a JVM of 22 and later writes beside it."""
        return [self.reach.path(self.path + part) for part in ("", *_PARTS)]

    def remove(self) -> bool:
        """Remove it with its parts, and say whether that was done. Raises ConnectionLost, TimeoutError."""
        return self._run(_REMOVE, *self.paths).ok

    def _run(self, script: str, *words: str) -> Completed:
        return self.reach.host.run(["sh", "-c", script, "sh", *words], user=self.reach.user)
