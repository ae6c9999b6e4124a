"""Who notices that the JVM stands still: a health check, a watchdog. Compared with the forecast pause. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jvmdiag.errors import WouldBeKilled
from jvmdiag.impact.finding import Finding, Subject, ok, refused, risky
from jvmdiag.model import Forecast, HealthProbe
from jvmdiag.units import duration, span


def health_findings(probes: Sequence[HealthProbe], forecast: Forecast) -> tuple[Finding, ...]:
    """One finding for each that watches. Refused where what follows would kill the JVM."""
    return tuple(_of(probe, forecast) for probe in probes) or (
        ok(Subject.HEALTH, "nobody is known to watch it (HEALTHCHECK, WatchdogSec)"),
    )


def _of(probe: HealthProbe, forecast: Forecast) -> Finding:
    pause = f"the forecast pause is {span(forecast.low_s, forecast.high_s)}"
    what = (
        f"by {probe.by} it {probe.then} after {duration(probe.silent_s)} of silence at the earliest; {pause}"
    )
    if forecast.high_s < probe.silent_s:
        return ok(Subject.HEALTH, what)
    aside = "take it out of the load balancer, or switch the check off while the dump is taken"
    if probe.kills:
        return refused(Subject.HEALTH, WouldBeKilled, what, aside)
    return risky(Subject.HEALTH, what, aside)
