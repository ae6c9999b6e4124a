"""What a command would do, found out by looking only: the exact commands, each with its risk."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace

from jvmdiag.attach.jdk_image import JdkImage
from jvmdiag.attach.rung import NotReady, Ready, Scene, reach_of
from jvmdiag.capture.choose import survey
from jvmdiag.capture.heap_command import heap_dump_line
from jvmdiag.capture.pipe import STALL_S
from jvmdiag.capture.piped import fifo_of, piped_line
from jvmdiag.collect.check import methods_of
from jvmdiag.collect.heap_request import HeapDumpRequest
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.lies_there import find_file
from jvmdiag.collect.price import preflight
from jvmdiag.collect.rehearse import Rehearsal
from jvmdiag.collect.scene import SidecarNeeded, open_scene
from jvmdiag.errors import NoMethod, ReadOnlyTarget
from jvmdiag.impact.disk import scratch_path, writes_parts
from jvmdiag.impact.finding import require_allowed
from jvmdiag.impact.watch import UNWATCHED, Watching
from jvmdiag.units import size

_RISKS = {
    "Thread.print": "one to three safepoints of about a millisecond",
    "Thread.print -l": "scans the whole heap inside a safepoint: 0.3 to 1.5 s for a heap of 1.3 GB",
    "GC.class_histogram -all": "counts the heap inside a safepoint: about 0.4 s a GB",
    "GC.class_histogram": "a full collection, then counts the heap: about 1 s a GB",
}


@dataclass(frozen=True)
class Planned:
    """One command that would run, and what it may do to the target."""

    command: str
    risk: str


@dataclass(frozen=True)
class DryRun:
    """The method that would be used, every command in order, and why other methods would not be."""

    method: str
    commands: tuple[Planned, ...]
    not_ready: tuple[tuple[str, str], ...]


def rehearse_command(job: Job, line: str, journal: Journal, watching: Watching = UNWATCHED) -> DryRun:
    """A dry run of putting `line` to the JVM. Raises NoMethod where nothing would work."""
    return _rehearsed(
        job, journal, line, lambda scene: _dry_run(job, scene, line, _watched(scene, watching), ())
    )


def rehearse_heap_dump(job: Job, request: HeapDumpRequest, journal: Journal) -> DryRun:
    """A dry run of a heap dump; the directory is chosen as it would be. Raises as that does."""
    line = heap_dump_line(f"{request.dump_dir or '…'}/….hprof", live=request.live)
    return _rehearsed(job, journal, line, lambda scene: _heap_dump(job, request, scene))


def rehearse_rehearsal(job: Job, rehearsal: Rehearsal, journal: Journal) -> DryRun:
    """A dry run of a rehearsal: its load, and its heap dump. Raises as that does."""
    load, spec = rehearsal, rehearsal.load
    risk = f"{spec.users} callers, for {load.before_s:g} s before it and {load.after_s:g} s after"
    dry = rehearse_heap_dump(job, rehearsal.heap_dump, journal)
    return replace(dry, commands=(Planned(f"requests to {spec.shown}", risk), *dry.commands))


def _rehearsed(job: Job, journal: Journal, line: str, rehearse: Callable[[Scene], DryRun]) -> DryRun:
    """What `rehearse` says of the scene; where only a sidecar could look, what would be run to begin with."""
    try:
        with open_scene(job, journal, only_look=True) as scene:
            return rehearse(scene)
    except SidecarNeeded as needed:
        risk = "network and disk of the engine"
        pulls = tuple(Planned(command, risk) for command in needed.commands[:-1])
        sidecar = Planned(needed.commands[-1], "a second container beside it, which has to look first")
        return DryRun(job.method or JdkImage.name, (*pulls, sidecar, Planned(line, _risk(line))), ())


def _heap_dump(job: Job, request: HeapDumpRequest, scene: Scene) -> DryRun:
    reach = reach_of(scene.view, scene.jvm)
    methods = methods_of(survey(scene, "GC.heap_dump", job.method))
    price = preflight(job, scene, request.intent, methods, None, request.dump_dir)
    require_allowed(price.findings, request.terms.forced)
    if price.room is None:
        raise ReadOnlyTarget("there is no directory to write a dump to")
    path = scratch_path(price.room)
    watched = _watched(scene, request.terms.watching)
    if request.no_disk:
        return _piped(job, request, scene, path, watched)
    before = (
        *watched,
        Planned(f"write at least {size(price.estimate_bytes)} to {path}", str(price.room)),
    )
    read = Planned(f"read {reach.path(path)} while it grows", "reading of the target's disk")
    gone = Planned(f"rm -f {shlex.quote(reach.path(path))}", "nothing but that file")
    after = (read,) if request.keep else (read, gone)
    return _dry_run(job, scene, heap_dump_line(path, live=request.live), before, after)


def _piped(
    job: Job, request: HeapDumpRequest, scene: Scene, directory: str, watched: tuple[Planned, ...]
) -> DryRun:
    reach, parted, fifo = reach_of(scene.view, scene.jvm), writes_parts(scene.jvm), fifo_of(directory)
    names = shlex.join(reach.path(path) for path in (fifo, *((f"{fifo}.p0",) if parted else ())))
    made = Planned(f"mkfifo {names}", f"no disk; {shlex.quote(reach.path(directory))} is made for it")
    slow = f"the JVM stands still while a reader is slow; one that takes nothing for {STALL_S} s is ended"
    read = Planned(f"dd bs=131072 <{names}", slow)
    gone = Planned(f"rm -rf {shlex.quote(reach.path(directory))}", "nothing but that")
    line = piped_line(fifo, live=request.live, parted=parted)
    return _dry_run(job, scene, line, (*watched, made, read), (gone,))


def _watched(scene: Scene, watching: Watching) -> tuple[Planned, ...]:
    looks, asks = [], []
    if watching.sample:
        files = f"cat /proc/{scene.jvm.pid}/stat and net/*, every 0.4 s until the traffic is back"
        looks = [Planned(files, "less than 1 % of a core; --no-sample does without")]
    if watching.probe:
        asks = [Planned(f"GET {watching.probe} from here, 10 times a second", "that of these requests")]
    return (*looks, *asks)


def rehearse_fetch(job: Job, path: str, journal: Journal, *, remove: bool) -> DryRun:
    """A dry run of fetching `path`; it is looked at, as it would be. Raises as that does."""
    with find_file(job, path, journal, summed=False) as found:
        if found.size_bytes is None:
            locked = "other commands of the engine for this container wait meanwhile"
            read = Planned(f"archive of {path}, over the engine", locked)
        else:
            read = Planned(
                f"cat {shlex.quote(found.file)}, the first {found.size_bytes} bytes",
                "reading of the target's disk",
            )
        gone = (
            (
                Planned(
                    f"rm -f -- {shlex.quote(path)}",
                    "that file, where its sha256, for which it is read once more, is that of the verified copy",
                ),
            )
            if remove
            else ()
        )
        return DryRun("archive" if found.size_bytes is None else "stream", (read, *gone), ())


def _dry_run(
    job: Job, scene: Scene, line: str, before: tuple[Planned, ...], after: tuple[Planned, ...]
) -> DryRun:
    steps = survey(scene, line, job.method)
    not_ready = tuple((s.rung.name, s.readiness.reason) for s in steps if isinstance(s.readiness, NotReady))
    for step in steps:
        if isinstance(step.readiness, Ready):
            commands = (
                *(Planned(c, step.readiness.risk) for c in step.readiness.commands),
                *(() if step.rung.name == "quit" else (Planned(line, _risk(line)),)),
            )
            return DryRun(step.rung.name, (*before, *commands, *after), not_ready)
    raise NoMethod(
        f"no way to ask for {line.split()[0]}", advice=tuple(f"  {n}: {why}" for n, why in not_ready)
    )


def _risk(line: str) -> str:
    if line.startswith("GC.heap_dump"):
        pause = "the JVM stands still while it writes: 1 to 6 s for a heap of 1.3 GB, by disk"
        return pause if "-all" in line.split() else f"a full collection first; {pause}"
    return _RISKS.get(line, "that of the diagnostic command: see jcmd TARGET 'help COMMAND'")
