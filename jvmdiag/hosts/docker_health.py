"""Who watches over a container, by its `docker inspect`: its health check, and what acts on it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jvmdiag.model import HealthProbe

# The engine's own where the image and the command line say none, in nanoseconds.
_INTERVAL_NS, _TIMEOUT_NS, _RETRIES = 30_000_000_000, 30_000_000_000, 3
_NS = 1e9
_SWARM, _AUTOHEAL = "com.docker.swarm.service.name", "autoheal"


def health_probes(inspected: Mapping[str, Any]) -> tuple[HealthProbe, ...]:
    """Its HEALTHCHECK, with what follows when it fails; empty where there is none.

    The engine lets `interval` pass between the end of a check and the next. A check of a JVM that stands still
    hangs for the engine's `timeout` or one of its own, so only the intervals between the failures are sure;
    where one failure is enough, its timeout must do.
    """
    config = inspected.get("Config") or {}
    check = config.get("Healthcheck") or {}
    test = check.get("Test") or ()
    if not test or test[0] == "NONE":
        return ()
    interval_s = (check.get("Interval") or _INTERVAL_NS) / _NS
    timeout_s = (check.get("Timeout") or _TIMEOUT_NS) / _NS
    retries = check.get("Retries") or _RETRIES
    silent_s = (retries - 1) * interval_s or timeout_s
    by = f"its HEALTHCHECK (every {interval_s:g} s, {retries} x, timeout {timeout_s:g} s)"
    then, kills = _what_follows(config.get("Labels") or {})
    return (HealthProbe(by, silent_s, then, kills),)


def _what_follows(labels: Mapping[str, str]) -> tuple[str, bool]:
    if _SWARM in labels:
        return f"is killed and replaced by Swarm (service {labels[_SWARM]})", True
    if labels.get(_AUTOHEAL) == "true":
        return "is restarted by autoheal", True
    return "is marked unhealthy", False
