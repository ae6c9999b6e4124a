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
# A mount's driver options may hold a password.
_OF_HOST = re.compile(
    r"(?:NetworkMode|RestartPolicy|AutoRemove|Memory\w*|Kernel\w+|NanoCpus|Cpu\w+|PidsLimit|PidMode|IpcMode|UsernsMode|CgroupnsMode"
    r"|Oom\w+|Ulimits|ShmSize|Init|Binds|Tmpfs|ReadonlyRootfs|Privileged|Cap(?:Add|Drop)|SecurityOpt|Runtime)\Z"
)
# Not TOMCAT_…: images take the manager's password by TOMCAT_PASSWORD.
_HARMLESS = re.compile(
    r"(?:PATH|(?:JAVA|JRE)_(?:HOME|VERSION)|CATALINA_(?:HOME|BASE|TMPDIR|OUT|PID)|TOMCAT_(?:MAJOR|VERSION)|LANG|LC_\w+|TZ)\Z"
)
_JVM_OPTION = re.compile(r"-(?:XX:|X|D|javaagent:|agentlib:|agentpath:|server\Z)")
_KNOWN = frozenset(
    {
        "run",
        "start",
        "-c",
        "-cp",
        "-classpath",
        "-jar",
        "java",
        "catalina.sh",
        "org.apache.catalina.startup.Bootstrap",
    }
)
_PROGRAM = re.compile(r"[\w./-]{1,200}", re.ASCII)
_OPTIONS = re.compile(r"(?:JAVA|CATALINA|JDK_JAVA|JAVA_TOOL|_JAVA)_OPT(?:ION)?S\Z")


def inspected(place: ContainerPlace) -> Taken:
    """State, limits, mounts and how it was started; values of variables, options and arguments masked."""
    return Taken(json.dumps(shown(place.engine.said_of(place.facts.id)), indent=2).encode() + b"\n")


def shown(said: Mapping[str, Any]) -> dict[str, Any]:
    """What of it is for others to read. Pure."""
    config, of_host = said.get("Config") or {}, said.get("HostConfig") or {}
    host = {key: value for key, value in of_host.items() if _OF_HOST.match(key)}
    state = dict(said.get("State") or {})
    # What a health check printed is the application's.
    if health := state.get("Health"):
        state["Health"] = {key: health.get(key) for key in ("Status", "FailingStreak")}
    host["LogConfig"] = {"Type": (of_host.get("LogConfig") or {}).get("Type")}
    found: dict[str, Any] = {key: said.get(key) for key in _SHOWN if key in said}
    # The program is its Path.
    found["Args"] = _words(said.get("Args"), of_program=True)
    found["State"] = state
    found["Config"] = {key: config.get(key) for key in _OF_CONFIG} | {
        "Entrypoint": _words(config.get("Entrypoint")),
        "Cmd": _words(config.get("Cmd"), of_program=bool(config.get("Entrypoint"))),
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


def _words(words: Sequence[str] | None, *, of_program: bool = False) -> list[str]:
    """The program and options of JVMs, masked as elsewhere: of any other argument nobody knows what it is.

    `of_program`: the first is its first argument already.
    """
    return [_word(one, first=n == 0 and not of_program) for n, one in enumerate(words or ())]


def _word(word: str, *, first: bool = False) -> str:
    if _JVM_OPTION.match(word):
        # A script may take it apart: then it is several.
        return " ".join(mask_option(one) if _JVM_OPTION.match(one) else _HIDDEN for one in word.split())
    return word if word in _KNOWN or (first and _PROGRAM.fullmatch(word)) else _HIDDEN


def _variable(text: str) -> str:
    name, _, value = text.partition("=")
    if _OPTIONS.match(name):
        return f"{name}={' '.join(map(_word, value.split()))}"
    return text if _HARMLESS.match(name) else f"{name}={_HIDDEN}"
