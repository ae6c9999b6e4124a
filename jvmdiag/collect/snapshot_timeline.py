"""The order in which a snapshot is taken: thread dumps are the beat, and the rest fills the time between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from jvmdiag.attach.rung import Reach, Speaker
from jvmdiag.capture.histogram import parse_histogram
from jvmdiag.collect.metrics import Watched, take_metrics
from jvmdiag.collect.servers import Servers, ServersRequest
from jvmdiag.collect.snapshot_run import Run
from jvmdiag.collect.snapshot_taking import Made
from jvmdiag.errors import CommandRefused, JvmdiagError, SudoRefused
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.metrics.access_log import AccessLog
from jvmdiag.metrics.figure import Figure, Metrics
from jvmdiag.model import Owner
from jvmdiag.snapshot.asked import HISTOGRAM, QUICK, WORK, Threads, thread_dump
from jvmdiag.snapshot.busy import busy_text
from jvmdiag.snapshot.digest import Digest
from jvmdiag.snapshot.found import APACHE_DIRECTORIES, Lying, found_text, look_around, words_for
from jvmdiag.snapshot.inspected import INSPECT, inspected
from jvmdiag.snapshot.item import Item, NotTaken, Risk, Taken
from jvmdiag.snapshot.kernel import KERNEL, STANDING, cpu_times
from jvmdiag.snapshot.logs import container_log, log_items
from jvmdiag.transfer.bundle import TAKEN

_ROOT = Owner(0, 0)
_BEFORE, _FILES = "before", "files"


@dataclass
class Timeline:
    """Runs through all items of `run`, and fills `digest`. `shown` makes a document of the machine's figures.

    `logs_bytes` is how much is taken of each log; with `redact` none is. What stands still is looked at from
    outside, so its JVM has to be seen from there.
    """

    run: Run
    digest: Digest
    shown: Callable[[Metrics], str]
    count: int = 3
    interval_s: float = 5.0
    logs_bytes: int = 2_000_000
    redact: bool = False
    sudo: bool = False
    standing: str = ""
    """Why the JVM cannot answer, nor anything else be executed beside it: its container is paused."""
    servers: ServersRequest = field(default_factory=ServersRequest)
    lying: Lying = field(default_factory=Lying)
    apache: Lying = field(default_factory=Lying)
    _log: AccessLog = field(default_factory=AccessLog)
    _quick: list[Item] = field(default_factory=list)
    _dumps: tuple[Threads, ...] = ()
    _busy: Item | None = None

    def all(self) -> None:
        """Raises KeyboardInterrupt alone."""
        run = self.run
        before, listing, after = (
            self._metrics(_BEFORE),
            self._made(_FILES, "found.txt", self._listed, about="what lies there, and the logs"),
            self._metrics("after"),
        )
        self._busy = self._made(
            "thread cpu", "thread-cpu.txt", self._busy_threads, about="threads by CPU, with their names"
        )
        self._dumps = tuple(thread_dump(number) for number in range(1, self.count + 1))
        self._quick = [*QUICK, *KERNEL, *(self._of_standing() if self.standing else ())]
        run.plan((before, listing, *self._dumps, *self._quick, self._busy, *WORK, after))
        run.take(before)
        run.take(listing)
        self._plan_logs()
        if self.standing:
            run.not_asked(self._dumps[0], self.standing)
        else:
            run.with_speaker(self._beat, self._dumps[0])
        for item in [one for one in run.waiting if one is not after]:
            run.take(item)
        run.take(after)

    # The beat

    def _beat(self, speaker: Speaker) -> None:
        run = self.run
        run.at.speaker = speaker
        due_s = time.monotonic()
        for item in self._dumps:
            run.wait_until(due_s, self._quick)
            due_s = time.monotonic() + self.interval_s
            self._read_times()
            run.take(item, then=lambda taken: self.digest.add_dump(taken.data))
            run.spoken(speaker)
        assert self._busy
        for one in (self._busy, *self._quick, *WORK):
            if one in run.waiting:
                run.take(one, then=self._count if one is HISTOGRAM else lambda _: None)

    def _read_times(self) -> None:
        try:
            if not (self.run.gone or self.run.mute):
                self.digest.times.append(cpu_times(self.run.at))
        except (JvmdiagError, TimeoutError) as error:
            self.run.notes.append(str(error))

    def _busy_threads(self) -> Taken:
        times = self.digest.times
        if len(times) < 2 or not self.digest.dumps:
            raise NotTaken("it takes the CPU times of two moments, and a thread dump")
        return Taken(busy_text(self.digest.busy, self.digest.busy_over_s).encode())

    def _count(self, taken: Taken) -> None:
        self.digest.classes = parse_histogram(taken.data.decode("utf-8", "replace")).classes

    # What is no question to the JVM

    def _of_standing(self) -> tuple[Item, ...]:
        place = self.run.at.scene.place
        assert isinstance(place, ContainerPlace)
        return (*STANDING, self._made(*INSPECT, partial(inspected, place)))

    def _made(self, name: str, file: str, how: Callable[[], Taken], about: str = "") -> Made:
        return Made(name, file, Risk.LIGHT, 30.0, about, how)

    def _metrics(self, when: str) -> Made:
        about = "the machine around the JVM"
        return self._made(f"metrics {when}", f"metrics-{when}.json", partial(self._figures, when), about)

    def _figures(self, when: str) -> Taken:
        scene, reach = self.run.at.scene, self.run.at.reach
        # Before, nobody knows yet whether the JVM answers; once it did, it may say which threads of Tomcat are busy.
        request = replace(self.servers, threads=bool(self.digest.dumps) and not self.run.mute)
        with ExitStack() as stack:
            servers = Servers(scene.inside, scene, request, stack)
            metrics = take_metrics(Watched(scene.place.name, reach, scene.jvm, servers, self._log))
        if self.redact:
            metrics = without_thread_names(metrics)
        if when == _BEFORE:
            self.digest.before = metrics
        else:
            self.digest.after = metrics
        return Taken(self.shown(metrics).encode(), missing="; ".join(servers.unanswered))

    def _listed(self) -> Taken:
        at = self.run.at
        jvm = at.scene.jvm
        if jvm.readable:
            self.lying = look_around(at.files, jvm.pid, words_for(jvm))
        else:
            # Its options are not known, nor its working directory.
            self.lying = look_around(at.files, jvm.pid, ("dump:/tmp",))
        self.apache = self._apache()
        return Taken(
            found_text(
                replace(
                    self.lying,
                    files=(*self.lying.files, *self.apache.files),
                    closed=(*self.lying.closed, *self.apache.closed),
                )
            ).encode()
        )

    def _apache(self) -> Lying:
        """Its logs are those of another user; a container without a shell has none."""
        try:
            return look_around(self._whole, 0, [f"log:{one}" for one in APACHE_DIRECTORIES])
        except (CommandRefused, SudoRefused, TimeoutError):
            return Lying()

    @property
    def _whole(self) -> Reach:
        """The container or machine itself, as whoever may read most of it."""
        scene = self.run.at.scene
        if self.standing:
            return Reach(scene.view.host, f"/proc/{scene.view.pid1}/root", None)
        in_container = isinstance(scene.place, ContainerPlace)
        return Reach(scene.inside, "", _ROOT if in_container or self.sudo else None)

    def _plan_logs(self) -> None:
        most, at = self.logs_bytes, self.run.at
        logs: list[Item]
        if why := self._why_no_logs():
            logs = [self._none("logs", why)]
        else:
            logs = [
                *(
                    log_items(self.lying.logs, at.files, most, of="tomcat")
                    or [self._none("tomcat logs", self._no_log(self.lying))]
                ),
                *(
                    log_items(self.apache.logs, self._whole, most, of="apache")
                    or [self._none("apache logs", self._no_log(self.apache))]
                ),
                *([container_log(most)] if isinstance(at.scene.place, ContainerPlace) else []),
            ]
        self._quick += logs
        self.run.plan(logs)

    def _why_no_logs(self) -> str:
        if self.redact:
            return "a log may hold anything: --redact leaves it out"
        if not self.logs_bytes:
            return "--logs-mb 0"
        listed = any(one.name == _FILES and one.status == TAKEN for one in self.run.entries)
        return "" if listed else f"which logs there are could not be listed: see {_FILES}"

    def _no_log(self, lying: Lying) -> str:
        if lying is self.lying and not self.run.at.scene.jvm.readable:
            return "which logs it has is not for this user to see: add --sudo"
        closed = f"; not for this user to read: {', '.join(lying.closed)}" if lying.closed else ""
        return f"none was found that is open or was written to within a day{closed}"

    def _none(self, name: str, why: str) -> Made:
        def how() -> Taken:
            raise NotTaken(why)

        return self._made(name, name, how)


def without_thread_names(metrics: Metrics) -> Metrics:
    """What the kernel calls a thread is the beginning of its name."""

    def masked(figure: Figure) -> Figure:
        if figure.name != "cpu.thread":
            return figure
        return replace(
            figure, labels=tuple((key, "***" if key == "name" else value) for key, value in figure.labels)
        )

    groups = (replace(group, figures=tuple(map(masked, group.figures))) for group in metrics.groups)
    return replace(metrics, groups=tuple(groups))
