"""A container that is paused or has ended: what can be had without executing anything in it.

With root on the engine's host a paused JVM is looked at through /proc, as any other. Else, and where it has ended, its
engine gives out files, its log and what it knows of the container.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from jvmdiag.attach.rung import Scene
from jvmdiag.collect.archived import archived, packed_in
from jvmdiag.collect.job import Job
from jvmdiag.collect.servers import ServersRequest
from jvmdiag.collect.snapshot_taking import Made, Taking
from jvmdiag.errors import JvmdiagError, NoSuchFile
from jvmdiag.hosts.place import ContainerPlace, ViewKind
from jvmdiag.jvm.discovery import look_closely
from jvmdiag.snapshot.found import APACHE_DIRECTORIES, Found, Kind, Lying, found_text, kind_of
from jvmdiag.snapshot.inspected import INSPECT, inspected
from jvmdiag.snapshot.item import NotTaken, Risk, Taken
from jvmdiag.snapshot.logs import Timely, container_log_of, end_of, end_of_log, named_logs, part_of_log
from jvmdiag.transfer.bundle import FAILED, BundledItem

_BOUND_S = 20.0
# Of a log: a piece that comes slowly is waited for beyond that bound, and one that is cut is lost.
_PIECE_BYTES = 1 << 16
# Each is asked for by itself.
_MOST_FILES = 200
_MOST_OF_A_VOLUME = 256 << 20
# Meanwhile the engine holds back all else of the container: nobody goes on with one that is paused.
_VOLUME_BOUND_S = 10.0


def seen_from_outside(place: ContainerPlace, job: Job) -> Scene | None:
    """The JVM of a container in which nothing can be executed, where this process may look into it; else None.

    Raises SeveralJvms, NoJvm.
    """
    view = next((one for one in place.views() if one.kind is ViewKind.ENGINE_HOST), None)
    sight = look_closely(view, job.jvm) if view and place.facts.running else None
    return (
        Scene(place, sight.view, sight.pick(job.jvm, place.name), job.image) if sight and sight.jvms else None
    )


@dataclass
class StillTimeline:
    """Runs through all items that the engine of `place` can answer; `why` is why the JVM cannot."""

    run: Taking
    place: ContainerPlace
    why: str
    logs_bytes: int
    redact: bool
    servers: ServersRequest = field(default_factory=ServersRequest)
    lying: Lying = field(default_factory=Lying)
    log_bound_s: float = _BOUND_S

    def all(self) -> None:
        """Raises KeyboardInterrupt alone."""
        run = self.run
        first = self._made(*INSPECT, partial(inspected, self.place), "what its engine says of it")
        listing = self._made("files", "found.txt", self._listed, "what lies there")
        run.plan((first, listing))
        run.take(first)
        run.take(listing)
        run.plan(logs := list(self._logs()))
        for item in logs:
            run.take(item)
        self._failed("thread dump 1", self.why)
        if self.servers.named:
            self._failed(
                "metrics",
                "the servers that were named are asked from within the container, which does not run",
            )

    def _failed(self, name: str, why: str) -> None:
        self.run.keep(BundledItem(name=name, risk=Risk.LIGHT.value, status=FAILED, why=why))

    def _made(self, name: str, file: str, how: Callable[[], Taken], about: str = "") -> Made:
        return Made(name, file, Risk.LIGHT, 30.0, about, how)

    def _listed(self) -> Taken:
        """What is in its own layer, by the engine's list of changes; what is on volumes, by their archives."""
        said = self.place.engine.said_of(self.place.facts.id)
        until = time.monotonic() + _BOUND_S
        changed = [path for path in self.place.engine.changed_in(self.place.facts.id) if _is_worth_it(path)]
        # What a JVM left comes before logs, should there be too many.
        changed.sort(key=lambda path: kind_of(path) is Kind.LOG)
        found, looked_at = [], 0
        for path in changed[:_MOST_FILES]:
            if time.monotonic() > until:
                break
            looked_at += 1
            found += [one] if (one := self._found(path)) else []
        lines = []
        for volume in said.get("Mounts") or ():
            there = str(volume.get("Destination", ""))
            try:
                late_s = time.monotonic() + _VOLUME_BOUND_S
                files, whole = packed_in(
                    self.place, there, _is_worth_it, most_bytes=_MOST_OF_A_VOLUME, until_s=late_s
                )
            except JvmdiagError as error:
                lines.append(f"not looked into: {there}: {error}")
                continue
            named = (_named(file.path, file.size_bytes, file.changed_s) for file in files[:_MOST_FILES])
            found += [one for one in named if one]
            if not whole:
                lines.append(f"not looked into to its end: the volume {there} is large, or comes slowly")
        lines.append("what was in memory (tmpfs) is not seen from outside")
        self.lying = Lying(tuple(found), passed_over=len(changed) - looked_at)
        return Taken(
            "\n".join((found_text(self.lying).rstrip(), *lines, "")).encode("utf-8", "backslashreplace")
        )

    def _found(self, path: str) -> Found | None:
        try:
            said = self.place.engine.archive_stat(self.place.facts.id, path)
        except NoSuchFile:
            return None  # that it was removed is a change as well
        return _named(path, said.size_bytes, said.changed_s) if said.is_regular else None

    def _logs(self) -> Iterator[Made]:
        if why := self._why_no_logs():
            yield self._none("logs", why)
            return
        for of, logs in (("tomcat", self._those(apache=False)), ("apache", self._those(apache=True))):
            if not logs:
                yield self._none(f"{of} logs", "none was found in the container's own layer, or on a volume")
            for one, name in named_logs(logs):
                file = f"logs/{of}-{name}"
                yield self._made(f"{of} log {name}", file, partial(self._log, one), one.path)
        how = partial(container_log_of, self.place, self.logs_bytes)
        yield self._made("container log", "logs/container.log", how, "its stdout and stderr")

    def _why_no_logs(self) -> str:
        if self.redact:
            return "a log may hold anything: --redact leaves it out"
        return "" if self.logs_bytes else "--logs-mb 0"

    def _those(self, *, apache: bool) -> list[Found]:
        """Logs of the one or the other server, by where they lie."""
        of_apache = tuple(f"{one}/" for one in APACHE_DIRECTORIES)
        return [one for one in self.lying.logs if one.path.startswith(of_apache) is apache]

    def _log(self, one: Found) -> Taken:
        """The engine gives it out from its beginning, so all of it has to come for its end."""
        with archived(self.place, one.path, _PIECE_BYTES) as file:
            chunks = Timely(file.chunks, self.log_bound_s)
            data = end_of(chunks, self.logs_bytes + 1)
            if chunks.cut and chunks.came_bytes < file.size_bytes:
                whole = replace(one, size_bytes=file.size_bytes)
                fetch = f"jvmdiag fetch {shlex.quote(self.place.name)} {shlex.quote(one.path)}"
                why = f"it comes from its beginning, and {chunks.cut}; all of it: {fetch}"
                return part_of_log(data, chunks.came_bytes, self.logs_bytes, whole, why)
            return end_of_log(data, self.logs_bytes, one)

    def _none(self, name: str, why: str) -> Made:
        def how() -> Taken:
            raise NotTaken(why)

        return self._made(name, name, how)


def _is_worth_it(path: str) -> bool:
    """By its name; of what may be a log, where logs lie: any text is no log."""
    kind = kind_of(path)
    return kind is not None and (kind is not Kind.LOG or "/log" in path.lower())


def _named(path: str, size_bytes: int, changed_s: float) -> Found | None:
    kind = kind_of(path)
    return Found(kind, path, size_bytes, max(time.time() - changed_s, 0.0)) if kind else None
