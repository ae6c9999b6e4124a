"""jvmdiag histogram: classes by instances and bytes."""

from __future__ import annotations

from typing import Annotated

import typer

from jvmdiag.cli import options

EXAMPLE = """\b
Examples:
  jvmdiag histogram web
  jvmdiag histogram web --live --top 50
"""


@options.shared(*options.ASKED, timeout_s=120.0)
def command(
    way: options.Way,
    live: Annotated[
        bool, typer.Option("--live", help="Only reachable objects: a full collection comes first.")
    ] = False,
    top: Annotated[
        int, typer.Option("--top", metavar="N", help="How many classes to show; 0: all.", min=0)
    ] = 25,
) -> None:
    """Show which classes fill the heap, by instances and bytes.

    The application stands still while the JVM counts: about half a second for each GB.
    """
    from jvmdiag.capture.histogram import histogram_line
    from jvmdiag.collect.text import take_histogram
    from jvmdiag.report.cost import cost_lines
    from jvmdiag.report.json import document
    from jvmdiag.report.text import histogram_text

    if way.dry_run:
        from jvmdiag.collect.dry_run import rehearse_command

        way.show(rehearse_command(way.job, histogram_line(live=live), way.journal, way.terms.watching))
        return
    with way.mark.around("histogram"):
        taken = take_histogram(way.job, way.journal, way.terms, live=live)
        way.mark.tell("\n".join(cost_lines(taken.pause, taken.forecast, taken.cost, plain=True)))
    if way.json:
        cost = {"forecast": taken.forecast, "pause": taken.pause, "cost": taken.cost}
        fields = {"method": taken.method, "live": live, **cost, **vars(taken.histogram)}
        way.console.result(document("histogram", **fields))
        return
    way.console.result(histogram_text(taken.histogram, top))
    for line in cost_lines(taken.pause, taken.forecast, taken.cost, plain=way.console.plain):
        way.console.say(line)
