"""The options that many commands share, and what they mean together. Imports nothing heavy: --help is quick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from jvmdiag.cli.console import Console

if TYPE_CHECKING:
    from jvmdiag.cli.statsd import Mark
    from jvmdiag.collect.dry_run import DryRun
    from jvmdiag.collect.job import Job, Journal
    from jvmdiag.collect.price import Offer, Terms
    from jvmdiag.load.running import LoadSpec

Choice = TypeVar("Choice", bound=Enum)
Command = Callable[..., None]
JDK_IMAGE_VARIABLE = "JVMDIAG_JDK_IMAGE"
_DAY_S = 86400.0


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


# Groups of fields of Way, for `shared`.
JVM = ("jvm", "method", "jdk_image", "no_pull", "view")
SSH = ("sudo", "identity", "ssh_config", "accept_new_host_key")
FILES = ("output", "compress", "encrypt_to")
PRICE = ("yes", "max_pause", "force", "probe", "sample", "statsd")
LOOKED = ("json", "verbose", "quiet")
SHOWN = ("json", "dry_run", "verbose", "quiet")
QUESTION = ("target", *JVM, *SSH, "timeout_s", *SHOWN)
ASKED = ("target", *PRICE, *JVM, *SSH, "timeout_s", *SHOWN)
DUMP = ("target", *PRICE, *JVM, *SSH, *FILES, "timeout_s", *SHOWN)


@dataclass(frozen=True, kw_only=True)
class Way:
    """What the shared options say: how to get to the JVM, where files go, what is shown."""

    target: Target = "local://"
    jvm: JvmChoice = None
    method: Method = None
    jdk_image: JdkImage = None
    no_pull: NoPull = False
    view: View = None
    sudo: Sudo = False
    identity: Identity = None
    ssh_config: SshConfig = None
    accept_new_host_key: AcceptNewHostKey = False
    output: Output = Path()
    compress: Compress = "gzip"
    encrypt_to: EncryptTo = None
    timeout_s: Timeout = 30.0
    retry_for: RetryFor = "2m"
    yes: Yes = False
    max_pause: MaxPause = None
    force: Force = None
    probe: Probe = None
    sample: Sample = True
    statsd: Statsd = None
    json: Json = False
    dry_run: OnlyLook = False
    verbose: Verbose = False
    quiet: Quiet = False

    @cached_property
    def console(self) -> Console:
        return Console(json=self.json, quiet=self.quiet)

    @cached_property
    def journal(self) -> Journal:
        """Shows each command as it ends, with --verbose."""
        from jvmdiag.collect.job import Journal

        return Journal(self.console.command) if self.verbose else Journal()

    @cached_property
    def job(self) -> Job:
        """Raises BadRequest for a target, codec, view or time that is none."""
        return _job_of(self)

    @cached_property
    def terms(self) -> Terms:
        """What may be paid, and who says yes. Raises BadRequest for a time or a --force that is none."""
        return _terms_of(self)

    @cached_property
    def mark(self) -> Mark:
        """Tells --statsd of the beginning and the end of a dump. Raises BadRequest, MissingExtra."""
        from jvmdiag.cli.statsd import Mark

        return Mark(self.statsd, self.target)

    def agrees(self, offer: Offer) -> bool:
        """Whether the price may be paid: --yes says so, or somebody who is asked."""
        from jvmdiag.report.price import offer_text

        if self.yes:
            self.console.say(offer_text(offer))
        return self.yes or self.console.confirm(offer_text(offer), "Take it?")

    def agrees_to_load(self, load: LoadSpec) -> bool:
        """Whether that load may be made: this machine is nobody else's; --yes says so, or somebody who is asked."""
        what = f"{load.users} callers of {load.shown}, which is not this machine."
        return self.yes or load.is_loopback or self.console.confirm(what, "Make that load?")

    def show(self, dry: DryRun) -> None:
        """What would be run, as text or as a document."""
        from jvmdiag.report.json import document
        from jvmdiag.report.text import dry_run_text

        self.console.result(document("dry-run", **vars(dry)) if self.json else dry_run_text(dry))


def shared(*names: str, **defaults: object) -> Callable[[Command], Command]:
    """The command as typer takes it: with TARGET before its own parameters where that is among `names`, and
    the options of the other fields of Way behind them. It is called with one Way for all of them."""

    def given_to(run: Command) -> Command:
        def command(**given: Any) -> None:
            run(Way(**{name: given.pop(name) for name in names}), **given)

        own = list(signature(run, eval_str=True).parameters.values())[1:]
        hints = _hints()
        ways = [_parameter(name, hints[name], defaults) for name in names]
        parameters = [*ways[: names.count("target")], *own, *ways[names.count("target") :]]
        named = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in parameters]
        command.__signature__ = Signature(named)  # type: ignore[attr-defined]
        command.__doc__ = run.__doc__
        return command

    return given_to


@cache
def _hints() -> dict[str, Any]:
    """What typer is to know of each field of Way. Reading them takes milliseconds."""
    return get_type_hints(Way, include_extras=True)


def _parameter(name: str, annotation: object, defaults: dict[str, object]) -> Parameter:
    default = Parameter.empty if name == "target" else defaults.get(name, getattr(Way, name))
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _job_of(way: Way) -> Job:
    from jvmdiag.attach.rung import ImageChoice
    from jvmdiag.cli.config import read_config
    from jvmdiag.collect.job import Job
    from jvmdiag.errors import BadRequest
    from jvmdiag.hosts.access import Access
    from jvmdiag.hosts.place import ViewKind
    from jvmdiag.target import parse_target
    from jvmdiag.transfer.codec import Codec
    from jvmdiag.transfer.seal import seal_for
    from jvmdiag.units import seconds_of

    if not 0 < way.timeout_s <= _DAY_S:
        raise BadRequest("--timeout is more than 0, and a day at most")
    retry_s = seconds_of(way.retry_for)
    if retry_s is None:
        raise BadRequest(f"--retry-for {way.retry_for!r} is no time", advice="write 20s, 500ms or 2m")
    view = one_of("--view", ViewKind, way.view) if way.view else None
    image = way.jdk_image or read_config().jdk_image
    return Job(
        target=parse_target(way.target),
        access=Access(
            sudo=way.sudo,
            accept_new_host_key=way.accept_new_host_key,
            identity_files=tuple(way.identity or ()),
            ssh_config=way.ssh_config,
            ask=way.console.ask,
            view=view,
        ),
        jvm=way.jvm,
        method=way.method,
        image=ImageChoice(image, not way.no_pull, way.console.pulling),
        output=way.output,
        codec=one_of("--compress", Codec, way.compress),
        timeout_s=way.timeout_s,
        retry_s=retry_s,
        seal=seal_for(tuple(way.encrypt_to)) if way.encrypt_to else None,
    )


def _terms_of(way: Way) -> Terms:
    from jvmdiag.collect.price import Terms
    from jvmdiag.errors import BadRequest
    from jvmdiag.impact.finding import Subject
    from jvmdiag.impact.prober import check_url
    from jvmdiag.impact.watch import Watching
    from jvmdiag.units import seconds_of

    most = seconds_of(way.max_pause) if way.max_pause is not None else None
    if way.max_pause is not None and most is None:
        raise BadRequest(f"--max-pause {way.max_pause!r} is no time", advice="write 20s, 500ms or 2m")
    if way.probe is not None:
        check_url(way.probe)
    return Terms(
        max_pause_s=most,
        forced=frozenset(one_of("--force", Subject, name) for name in way.force or ()),
        agreed=way.agrees,
        watching=Watching(way.sample, way.probe),
        begins=way.mark.begin,
    )


def one_of(option: str, kind: type[Choice], text: str) -> Choice:
    """The member of `kind` with that value. Raises BadRequest that lists them."""
    from jvmdiag.errors import BadRequest

    try:
        return kind(text)
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise BadRequest(f"{option} {text!r} is none", advice=f"it is one of: {known}") from None
