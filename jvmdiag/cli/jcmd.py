"""jvmdiag jcmd: any diagnostic command."""

from __future__ import annotations

from typing import Annotated

import typer

from jvmdiag.cli import options
from jvmdiag.cli.console import Console

EXAMPLE = """\b
Examples:
  jvmdiag jcmd web help
  jvmdiag jcmd web GC.heap_info
  jvmdiag jcmd web VM.flags -all
"""
# Options of jvmdiag come before TARGET; what follows the command's name is the JVM's.
SETTINGS = {"context_settings": {"ignore_unknown_options": True, "allow_interspersed_args": False}}


def command(
    target: options.Target,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND", help="The diagnostic command and its own options.", show_default=False
        ),
    ],
    jvm: options.JvmChoice = None,
    method: options.Method = None,
    jdk_image: options.JdkImage = None,
    no_pull: options.NoPull = False,
    view: options.View = None,
    sudo: options.Sudo = False,
    identity: options.Identity = None,
    ssh_config: options.SshConfig = None,
    accept_new_host_key: options.AcceptNewHostKey = False,
    timeout: options.Timeout = 120.0,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Put any diagnostic command to the JVM, through the same ladder of methods.

    Options of jvmdiag stand before TARGET; `jvmdiag jcmd TARGET help` lists what this JVM knows.
    """
    from jvmdiag.collect.text import ask_anything
    from jvmdiag.errors import BadRequest
    from jvmdiag.report.json import document

    console = Console(json=json, quiet=quiet)
    way = options.Way(
        target,
        jvm,
        method,
        jdk_image,
        no_pull,
        view,
        sudo,
        tuple(identity or ()),
        ssh_config,
        accept_new_host_key,
        timeout_s=timeout,
    )
    job = options.job_of(way, console)
    journal = options.journal_of(console, verbose=verbose)
    line = " ".join(words).strip()
    if not line:
        raise BadRequest("no diagnostic command", advice="jvmdiag jcmd TARGET help lists what the JVM knows")
    if dry_run:
        from jvmdiag.collect.dry_run import rehearse_command
        from jvmdiag.report.text import dry_run_text

        dry = rehearse_command(job, line, journal)
        console.result(document("dry-run", **vars(dry)) if json else dry_run_text(dry))
        return
    answer, used = ask_anything(job, line, journal)
    console.result(
        document("jcmd", command=line, method=used, answer=answer) if json else answer.rstrip("\n")
    )
