"""The entry point: the commands, and how anything that goes wrong ends."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer

from jvmdiag import __version__
from jvmdiag.cli import (
    check,
    fetch,
    heapdump,
    histogram,
    jcmd,
    load,
    metrics,
    ps,
    redact,
    rehearse,
    resume,
    snapshot,
    sweep,
    threaddump,
    verify,
)
from jvmdiag.cli.console import Console
from jvmdiag.cli.stopping import check as check_stopped
from jvmdiag.cli.stopping import interruption, stopped_by
from jvmdiag.errors import BadRequest, Interrupted, JvmdiagError, TargetSilent, Terminated

EPILOG = """\b
At three in the morning:
  jvmdiag ps
  jvmdiag threaddump NAME --count 3
  jvmdiag check NAME                 what a heap dump would cost
  jvmdiag heapdump NAME              where memory is the trouble
"""
app = typer.Typer(
    name="jvmdiag",
    help="A verified thread dump or heap dump from any JVM in a container or on an SSH host.",
    epilog=EPILOG,
    no_args_is_help=True,
    # Plain help starts in half the time, and reads well in any terminal.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for name, module in (
    ("ps", ps),
    ("metrics", metrics),
    ("check", check),
    ("threaddump", threaddump),
    ("heapdump", heapdump),
    ("histogram", histogram),
    ("jcmd", jcmd),
    ("resume", resume),
    ("verify", verify),
    ("fetch", fetch),
    ("redact", redact),
    ("rehearse", rehearse),
    ("load", load),
    ("sweep", sweep),
    ("snapshot", snapshot),
):
    app.command(name, epilog=module.EXAMPLE, **getattr(module, "SETTINGS", {}))(module.command)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"jvmdiag {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    pass


_SLOW = "it may be out of memory, CPU or disk: try again, or look at it with docker stats, top, dmesg"
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _stop(number: int, _frame: FrameType | None) -> None:
    """Ctrl-C, SIGTERM and SIGHUP all end as Ctrl-C does: through every cleanup."""
    stopped_by.append(number)
    for each in _STOPPING:
        signal.signal(each, _patience)
    raise interruption(number)


def _patience(_number: int, _frame: FrameType | None) -> None:
    for each in _STOPPING:
        signal.signal(each, signal.SIG_DFL)
    # The terminal may be what went away.
    with contextlib.suppress(OSError):
        print("jvmdiag: cleaning the target; once more leaves it as it is", file=sys.stderr)


def main() -> None:
    """Run the command line. The exit code is that of the error (docs/reference/exit-codes.md)."""
    for each in _STOPPING:
        # nohup lets it go on without its terminal.
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, _stop)
    for stream in (sys.stdout, sys.stderr):
        # A name that this terminal's encoding lacks is shown escaped.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    console = Console(json="--json" in sys.argv)
    try:
        ended = app(standalone_mode=False)
        # typer makes an exit code of a KeyboardInterrupt; its older versions made an Abort.
        check_stopped()
        code = ended if isinstance(ended, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        console.failure(stopped := _stopped())
        code = stopped.exit_code
    except JvmdiagError as error:
        console.failure(error)
        code = error.exit_code
    except TimeoutError as error:
        slow = TargetSilent("the target did not answer in time", why=str(error), advice=_SLOW)
        console.failure(slow)
        code = slow.exit_code
    except Exception as error:
        if stopped_by:
            # Python wraps what interrupts a class while it is made: "Error calling __set_name__".
            console.failure(stopped := _stopped())
            code = stopped.exit_code
        elif hasattr(error, "format_message"):
            code = _misused(error, console)
        else:
            raise
    _leave(code)


def _stopped() -> JvmdiagError:
    # Ctrl-D at a prompt comes without a signal.
    terminated = bool(stopped_by) and stopped_by[0] != signal.SIGINT
    return Terminated("terminated") if terminated else Interrupted("interrupted")


def _misused(error: Any, console: Console) -> int:
    """typer's own complaint about the command line, and where the help is."""
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return BadRequest.exit_code
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "jvmdiag"
    console.failure(BadRequest(error.format_message(), advice=f"see: {path} --help"))
    return BadRequest.exit_code


def _leave(code: int) -> None:
    """End now: a thread that still waits for a JVM must not hold up the prompt."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, AttributeError):
            continue
    os._exit(code)
