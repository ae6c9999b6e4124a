"""What each run makes on a target, written down on this machine before it is made: JSON files of mode 0600 in runs/.

A run takes its record away when it has cleaned up. One that is still there when its run is gone says what was left.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jvmdiag.hosts.runner import Life, Runner, life_of

SCHEMA = "jvmdiag.run/1"
HEAP_DUMP, PIPES, TRIGGER, LOCK = "heap dump", "directory of FIFOs", "trigger", "lock"
SNAPSHOT, ARCHIVE = "snapshot", "archive"
# A timeout is a day at most: after that a run that cannot be seen from here is over.
_LONGEST_S = 86400.0
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Made:
    """Something a run makes on the target, at a path of the JVM's mount namespace; or here, at one of this machine."""

    kind: str
    path: str

    @property
    def paths(self) -> tuple[str, ...]:
        """Where it may be: a directory of FIFOs is renamed before it is taken apart (capture/pipe.sh)."""
        return (self.path, f"{self.path}.gone") if self.kind == PIPES else (self.path,)


@dataclass(frozen=True)
class RecordedJvm:
    """Whose files they are. `owner` is uid:gid as numbered where it was looked at; `own_mounts` says that its
    mount namespace is not that of the machine or container which was looked at."""

    nspid: int
    start_ticks: int
    owner: str
    main: str
    own_mounts: bool


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run on one target. `engine` and `container` (its id) are empty for a machine, `boot` is its boot id or empty.

    `partial` is the file of this machine that the copy goes to, or empty. `here` is what a snapshot makes on this
    machine: such a record speaks of nothing else; `here_in` is the inode number of the directory that it is in, 0 where
    nobody knows. `at_s` is in Unix seconds.
    """

    id: str
    target: str
    engine: str = ""
    container: str = ""
    boot: str = ""
    jvm: RecordedJvm | None = None
    made: tuple[Made, ...] = ()
    partial: str = ""
    here: tuple[Made, ...] = ()
    here_in: int = 0
    run: Runner
    at_s: float

    def under_way(self, now_s: float) -> bool:
        """Whether its run goes on, or may: then nothing of it is anybody's business."""
        life = life_of(self.run)
        return life is Life.ALIVE or (life is Life.UNSEEN and now_s - self.at_s < _LONGEST_S)


def why_not_gone(record: RunRecord, made: Made) -> str:
    """Empty where it is known that `made`, of its `here`, is gone: the directory it was made in is there, without it.

    Where a disk is not mounted that directory is missing, or the mount point is there in its place, and empty.
    """
    directory = Path(made.path).parent
    inode = 0
    try:
        inode = directory.stat().st_ino
        os.lstat(made.path)
    except FileNotFoundError:
        # A link to what is not mounted is there, and leads nowhere.
        if not inode:
            return f"{directory} is not there"
    except OSError as error:
        return f"it cannot be looked at: {(error.strerror or str(error)).lower()}"
    else:
        return "it is there"
    return f"{directory} is another directory than it was made in" if record.here_in not in (0, inode) else ""


def fresh_id() -> str:
    return secrets.token_hex(8)


def default_runs() -> Path:
    """The directory of the records, beside the history."""
    from jvmdiag.impact.history import state_directory

    return state_directory() / "runs"


class Runs:
    """The records in `directory`."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or default_runs()

    def keep(self, record: RunRecord) -> bool:
        """Put `record` on the disk, in place of an older one of its id. False where it cannot be written."""
        place = self.path(record.id)
        fresh = place.with_suffix(".partial")
        text = json.dumps({"schema": SCHEMA, **asdict(record)}, ensure_ascii=False)
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, 0o600)
                file.write(text.encode("utf-8", "backslashreplace"))
                file.flush()
                os.fsync(fd)
            fresh.replace(place)
        except OSError:
            return False
        return True

    def drop(self, record_id: str) -> None:
        """Take the record away; one that is gone is fine."""
        with suppress(OSError):
            self.path(record_id).unlink(missing_ok=True)

    def all(self) -> tuple[tuple[RunRecord, ...], tuple[tuple[str, str], ...]]:
        """Every record, oldest first; and the files that are none, each with why. Those are left as they are."""
        records: list[RunRecord] = []
        strange: list[tuple[str, str]] = []
        for path in sorted(self.directory.glob("*.json")):
            try:
                records.append(_read(path))
            except FileNotFoundError:
                continue  # its run has just taken it away
            except (OSError, ValueError) as error:
                strange.append((str(path), str(error)))
        return tuple(sorted(records, key=lambda record: record.at_s)), tuple(strange)

    def path(self, record_id: str) -> Path:
        return self.directory / f"{record_id}.json"


def _read(path: Path) -> RunRecord:
    """Raises ValueError for what is no record of ours, OSError as `open` does."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        # Whoever writes a record says what is to be removed.
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise ValueError("it is not this user's alone")
        text = file.read(_MOST_BYTES)
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f'it does not say "schema": "{SCHEMA}"')
    try:
        record = _record(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a field is missing or strange: {error}") from None
    if f"{record.id}.json" != path.name:
        raise ValueError("its id is not its name")
    return record


def _record(document: Mapping[str, Any]) -> RunRecord:
    jvm = document["jvm"]
    return RunRecord(
        id=_text(document["id"]),
        target=_text(document["target"]),
        engine=_text(document["engine"]),
        container=_text(document["container"]),
        boot=_text(document["boot"]),
        jvm=jvm and _jvm(jvm),
        made=tuple(Made(_text(one["kind"]), _absolute(one["path"])) for one in document["made"]),
        partial=_text(document["partial"]),
        here=tuple(Made(_text(one["kind"]), _rooted(one["path"])) for one in document.get("here", ())),
        here_in=int(document.get("here_in", 0)),
        run=_runner(document["run"]),
        at_s=float(document["at_s"]),
    )


def _jvm(said: Mapping[str, Any]) -> RecordedJvm:
    uid, _, gid = _text(said["owner"]).partition(":")
    int(uid), int(gid)
    return RecordedJvm(
        int(said["nspid"]),
        int(said["start_ticks"]),
        f"{uid}:{gid}",
        _text(said["main"]),
        bool(said["own_mounts"]),
    )


def _runner(said: Mapping[str, Any]) -> Runner:
    machine, boot, pid_ns = (_text(said[name]) for name in ("machine", "boot", "pid_ns"))
    return Runner(machine, boot, pid_ns, int(said["pid"]), int(said["start_ticks"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _absolute(value: Any) -> str:
    path = _text(value)
    # They are told to a shell there, one a line.
    if not path.startswith("/") or "\n" in path or ".." in path.split("/"):
        raise ValueError(f"{path!r} is no path of a target")
    return path


def _rooted(value: Any) -> str:
    path = _text(value)
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is no path of this machine")
    return path
