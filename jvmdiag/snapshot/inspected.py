"""An item that the container's engine answers: what `docker inspect` says of it, masked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.jvm.options import mask_option
from jvmdiag.snapshot.item import Taken

INSPECT = ("inspect", "inspect.json")
"""Name and file of the item."""
_HIDDEN = "***"
_SHOWN = ("Id", "Name", "Created", "Image", "RestartCount", "Driver", "Platform", "Path", "Args")
_OF_CONFIG = ("Hostname", "User", "WorkingDir", "Image", "StopSignal", "ExposedPorts", "Volumes", "Tty")
_HARMLESS = re.compile(r"(?:PATH|JAVA_HOME|JRE_HOME|JAVA_VERSION|CATALINA_\w+|TOMCAT_\w+|LANG|LC_\w+|TZ)\Z")
_OPTIONS = re.compile(r"(?:JAVA|CATALINA|JDK_JAVA|JAVA_TOOL|_JAVA)_OPT(?:ION)?S\Z")


def inspected(place: ContainerPlace) -> Taken:
    """State, limits, mounts and how it was started; values of variables, options and arguments masked."""
    return Taken(json.dumps(shown(place.engine.said_of(place.facts.id)), indent=2).encode() + b"\n")


def shown(said: Mapping[str, Any]) -> dict[str, Any]:
    """What of it is for others to read. Pure."""
    config, host = said.get("Config") or {}, dict(said.get("HostConfig") or {})
    state = dict(said.get("State") or {})
    # What a health check printed is the application's.
    if health := state.get("Health"):
        state["Health"] = {key: health.get(key) for key in ("Status", "FailingStreak")}
    log = host.get("LogConfig") or {}
    host["LogConfig"] = {"Type": log.get("Type"), "Config": dict.fromkeys(log.get("Config") or (), _HIDDEN)}
    found: dict[str, Any] = {key: said.get(key) for key in _SHOWN if key in said}
    found["Args"] = _words(said.get("Args"))
    found["State"] = state
    found["Config"] = {key: config.get(key) for key in _OF_CONFIG} | {
        "Entrypoint": _words(config.get("Entrypoint")),
        "Cmd": _words(config.get("Cmd")),
        "Env": [_variable(one) for one in config.get("Env") or ()],
        "Labels": dict.fromkeys(config.get("Labels") or (), _HIDDEN),
    }
    found["HostConfig"] = host
    found["Mounts"] = said.get("Mounts")
    network = said.get("NetworkSettings") or {}
    found["NetworkSettings"] = {
        "Ports": network.get("Ports"),
        "Networks": list(network.get("Networks") or ()),
    }
    return found


def _words(words: Sequence[str] | None) -> list[str]:
    """Options as they are masked elsewhere; of a shell's line nobody knows what is in it."""
    return [
        mask_option(one) if one.startswith(("-", "/")) and " " not in one else _plain(one)
        for one in words or ()
    ]


def _plain(word: str) -> str:
    return (
        word
        if re.fullmatch(r"[\w./:+-]{1,120}", word) and not re.search(r"://|(?i:pass|secret|token|key)", word)
        else _HIDDEN
    )


def _variable(text: str) -> str:
    name, _, value = text.partition("=")
    if _OPTIONS.match(name):
        return f"{name}={' '.join(mask_option(one) if one.startswith('-') else _HIDDEN for one in value.split())}"
    return text if _HARMLESS.match(name) else f"{name}={_HIDDEN}"
