"""A capture is watched: from where, and what goes into its account."""

from __future__ import annotations

from jvmdiag.attach.rung import Scene, reach_of
from jvmdiag.collect.job import Progress
from jvmdiag.errors import Stopped
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.impact.pause import MeteredSpeaker
from jvmdiag.impact.watch import Watch, Watching
from jvmdiag.model import Cost

# A shorter wait needs no word.
_SAID_FROM_S = 1.0
# For a question of a second nobody waits for ten.
_SHORT_S = 3.0


def watch(scene: Scene, watching: Watching) -> Watch:
    """The watch over the JVM of `scene`, as the one who looked at it sees it."""
    place = scene.place
    near = place.engine.is_here if isinstance(place, ContainerPlace) else place.host.is_here
    return Watch(reach_of(scene.view, scene.jvm), scene.jvm.pid, watching, own_network=not near)


def cost_so_far(over: Watch, metered: MeteredSpeaker) -> Cost | None:
    """What the question cost, as far as it is known some seconds later: an access log may still be late."""
    begin, end = metered.asked_at_s, metered.answered_at_s
    over.settle(begin, end, within_s=_SHORT_S)
    return over.cost(begin, end)


def cost_of_all(over: Watch, metered: MeteredSpeaker, progress: Progress, path: str) -> Cost | None:
    """What the question cost, once all of it can be known: an access log is up to 11 s late. Ends the watch.
    `path` is what stands already, for whoever does not want to wait."""
    begin, end = metered.asked_at_s, metered.answered_at_s
    try:
        over.settle(begin, end)
        wait_s = over.expected_wait_s(end)
        if wait_s > _SAID_FROM_S:
            progress.note(
                f"{path} is verified; within {wait_s:.0f} s the access log says what it cost the requests"
            )
        over.wait_for_log(begin, end)
    except (Stopped, KeyboardInterrupt):
        progress.warn(f"{path} stands, and is verified; what it cost the requests is not known")
        raise
    over.close()
    return over.cost(begin, end)
