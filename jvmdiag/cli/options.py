"""What the options that many commands share mean together. Imports nothing heavy: --help is quick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from jvmdiag.cli.console import Console
from jvmdiag.cli.declared import (
    AcceptNewHostKey,
    Compress,
    EncryptTo,
    Force,
    Identity,
    JdkImage,
    Json,
    JvmChoice,
    MaxPause,
    Method,
    NoPull,
    OnlyLook,
    Output,
    Probe,
    Quiet,
    RetryFor,
    Sample,
    SshConfig,
    Statsd,
    Sudo,
    Target,
    Timeout,
    Verbose,
    View,
    Yes,
)
from jvmdiag.cli.servers import Apache, Jmx, JmxUser, Threads, Tomcat, TomcatUser

if TYPE_CHECKING:
    from jvmdiag.cli.statsd import Mark
    from jvmdiag.collect.dry_run import DryRun
    from jvmdiag.collect.job import Job, Journal
    from jvmdiag.collect.price import Offer, Terms
    from jvmdiag.collect.servers import ServersRequest
    from jvmdiag.load.running import LoadSpec

Choice = TypeVar("Choice", bound=Enum)
Command = Callable[..., None]
_DAY_S = 86400.0

# Groups of fields of Way, for `shared`.
JVM = ("jvm", "method", "jdk_image", "no_pull", "view")
SSH = ("sudo", "identity", "ssh_config", "accept_new_host_key")
FILES = ("output", "compress", "encrypt_to")
PRICE = ("yes", "max_pause", "force", "probe", "sample", "statsd")
SERVERS = ("apache", "tomcat", "tomcat_user", "jmx", "jmx_user")
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
    apache: Apache = None
    tomcat: Tomcat = None
    tomcat_user: TomcatUser = None
    threads: Threads = True
    jmx: Jmx = None
    jmx_user: JmxUser = None
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
    def servers(self) -> ServersRequest:
        """What Tomcat and Apache are asked. Raises BadRequest as `request_of` does."""
        from jvmdiag.cli.servers import request_of

        return request_of(self)

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
