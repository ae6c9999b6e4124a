"""jvmdiag sweep: what interrupted runs left on the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jvmdiag.cli import declared, options

if TYPE_CHECKING:
    from jvmdiag.collect.leftover import Leftover

EXAMPLE = """\b
Examples:
  jvmdiag sweep                        every target on which a run was cut off
  jvmdiag sweep web --dry-run          look only: exit code 74 where something is left
  jvmdiag sweep ssh://ops@app1 --sudo --yes
  jvmdiag sweep web --yes --whole      also whole heap dumps that were never brought here, and snapshots cut off
"""


@options.shared("yes", "jdk_image", "view", *options.SSH, *options.SHOWN)
def command(
    way: options.Way,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET]...",
            help="Where to look; without it: every target of which there is a record or manifest.",
            autocompletion=declared.complete_target,
            show_default=False,
        ),
    ] = None,
    manifest: Annotated[
        list[Path] | None,
        typer.Option(
            "--manifest", metavar="FILE", help="A manifest that says what was left. May be repeated."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="A directory of such manifests.")
    ] = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole",
            help="With --yes: also whole heap dumps that were never brought here, and snapshots that were cut off.",
        ),
    ] = False,
) -> None:
    """List what interrupted runs left on targets, and remove it: dumps, their parts, FIFOs, triggers, locks, sidecars.

    And here: what a snapshot that was cut off had taken. Only what a record of this machine, a manifest or a label
    says is ours, and what nobody is writing. Dumps of others are shown and never touched. Without a terminal and
    without --yes it only looks.
    """
    from jvmdiag.collect.claims import claims_of_manifests
    from jvmdiag.collect.sweep import Broom, Swept, sweep_target, targets_on_record
    from jvmdiag.collect.sweep_here import sweep_here
    from jvmdiag.errors import JvmdiagError, LeftOnTarget
    from jvmdiag.report.json import document
    from jvmdiag.report.sweep import swept_text

    claims = claims_of_manifests(manifest or (), output)
    # Where nobody is there to say yes, it is a look.
    asks = way.yes or way.console.interactive
    broom = Broom(way.journal, _Choice(way, whole).of, only_look=way.dry_run or not asks)
    swept: list[Swept] = []
    errors: list[JvmdiagError] = []
    try:
        swept += sweep_here(targets or (), broom)
    except JvmdiagError as error:
        errors.append(error)
    for target in targets or targets_on_record(broom.runs, claims):
        try:
            swept += sweep_target(replace(way, target=target).job, claims, broom)
        except JvmdiagError as error:
            errors.append(error)
            way.console.warn(f"{target} could not be looked at: {error}")
    strange = broom.runs.all()[1]
    for path, why in strange:
        way.console.warn(f"{path} is no record, and is left as it is: {why}")
    if way.json:
        said = [str(error) for error in errors]
        way.console.result(document("sweep", targets=swept, unread=strange, errors=said))
    else:
        way.console.result("\n".join(swept_text(one) for one in swept) or "no run left a record")
    if errors:
        raise errors[0]
    stays = [one for each in swept for one in each.found if one.state.stays]
    if stays:
        raise LeftOnTarget(
            f"{len(stays)} left on {', '.join(dict.fromkeys(one.target for one in stays))}",
            why="; ".join(f"{one.where} ({one.state.value})" for one in stays),
        )


@dataclass(frozen=True)
class _Choice:
    """Which of what may be removed is to be: asked once for all, and once for each dump that is an asset."""

    way: options.Way
    whole: bool

    def of(self, found: Sequence[Leftover]) -> Sequence[Leftover]:
        from jvmdiag.collect.leftover import State
        from jvmdiag.report.sweep import leftovers_table

        left = [one for one in found if one.state is State.LEFT]
        assets = [one for one in found if one.state.is_asset]
        if self.way.yes:
            return (*left, *(assets if self.whole else ()))
        console = self.way.console
        chosen: list[Leftover] = []
        if left and console.confirm(leftovers_table(found), f"Remove {_these(left)} from {left[0].target}?"):
            chosen += left
        chosen += [one for one in assets if console.confirm(leftovers_table([one]), _question(one))]
        return chosen


def _these(left: Sequence[Leftover]) -> str:
    return f"the {len(left)} that are left" if len(left) > 1 else f"{left[0].what} {left[0].where}"


def _question(one: Leftover) -> str:
    from jvmdiag.units import size

    what = one.what if one.state.value == "evidence" else "heap dump"
    return f"Remove this {what} of {size(one.size_bytes)} for good?"
