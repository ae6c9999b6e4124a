"""TARGET and the options that many commands share, as --help shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JDK_IMAGE_VARIABLE = "JVMDIAG_JDK_IMAGE"


def complete_target(incomplete: str) -> list[str]:
    """Names of running containers, for the shell's completion; nothing where no engine answers."""
    from jvmdiag.collect.job import Journal
    from jvmdiag.errors import JvmdiagError
    from jvmdiag.hosts.opening import open_engine

    try:
        with open_engine(Journal()) as engine:
            names = engine.containers()
    except JvmdiagError:
        return []
    return [name for name in names if name.startswith(incomplete)]


Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="NAME of a container, docker://NAME, ssh://[user@]host[:port], ssh://host/docker/NAME, or local://",
        autocompletion=complete_target,
        show_default=False,
    ),
]
JvmChoice = Annotated[
    str | None, typer.Option("--jvm", metavar="PID|PATTERN", help="Which JVM, where there are several.")
]
Method = Annotated[
    str | None,
    typer.Option(
        "--method", metavar="NAME", help="direct, tools, jdk-image or quit; no other is tried then."
    ),
]
JdkImage = Annotated[
    str | None,
    typer.Option(
        "--jdk-image",
        metavar="IMAGE",
        envvar=JDK_IMAGE_VARIABLE,
        help="The image whose JDK is put beside a container. Default: eclipse-temurin:N-jdk, N the JVM's version.",
    ),
]
NoPull = Annotated[bool, typer.Option("--no-pull", help="Never pull an image.")]
View = Annotated[
    str | None,
    typer.Option("--view", metavar="FROM", help="Look at a container only from: host, inside or sidecar."),
]
Sudo = Annotated[
    bool, typer.Option("--sudo", help="Become the JVM's user through sudo: on an SSH host, or here.")
]
Identity = Annotated[
    list[Path] | None,
    typer.Option("--identity", "-i", metavar="FILE", help="A further SSH key. May be repeated."),
]
SshConfig = Annotated[
    Path | None, typer.Option("--ssh-config", "-F", metavar="FILE", help="Instead of ~/.ssh/config.")
]
AcceptNewHostKey = Annotated[
    bool,
    typer.Option(
        "--accept-new-host-key", help="Let in an SSH host that known_hosts does not know, this once."
    ),
]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="Where the files go.", show_default="this directory"),
]
Compress = Annotated[str, typer.Option("--compress", metavar="CODEC", help="gzip, zstd or none.")]
EncryptTo = Annotated[
    list[str] | None,
    typer.Option(
        "--encrypt-to",
        metavar="RECIPIENT",
        help="Store files encrypted: age1…, an SSH public key, or a file of such. May be repeated.",
    ),
]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", help="How long to wait for the JVM's answer.")
]
RetryFor = Annotated[
    str,
    typer.Option(
        "--retry-for", metavar="TIME", help="How long a way that broke is tried again before it is left."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="The result as one JSON document.")]
OnlyLook = Annotated[
    bool, typer.Option("--dry-run", help="Only look, and show what would be run, with its risk.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
MaxPause = Annotated[
    str | None,
    typer.Option("--max-pause", metavar="TIME", help="Refuse what is forecast to take longer: 20s, 500ms."),
]
Force = Annotated[
    list[str] | None,
    typer.Option(
        "--force",
        metavar="WHAT",
        help="Go on in spite of a refusal: disk, memory, health, pause, others, here or jvm. May be repeated.",
    ),
]
Probe = Annotated[
    str | None,
    typer.Option(
        "--probe",
        metavar="URL",
        help="Ask this URL ten times a second meanwhile, from here, and say how long it took.",
    ),
]
Sample = Annotated[
    bool,
    typer.Option(
        "--sample/--no-sample",
        help="Watch what it does to the traffic: a look at /proc every 0.4 s, from 2 s before it.",
    ),
]
Statsd = Annotated[
    str | None,
    typer.Option(
        "--statsd",
        metavar="HOST:PORT",
        help="Tell a Datadog agent (UDP): figures under Datadog's names; of a dump, when it begins and ends.",
    ),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Show every command run on the target, its exit code and time."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but the result and errors.")]
