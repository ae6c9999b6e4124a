"""docs/reference/commands.md, made from the command line's own definitions; scripts/reference writes it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import typer

from jvmdiag.cli.main import app

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "commands.md"
# An option with the same words in so many commands is described once.
_SHARED_BY = 3
_HEAD = """# Commands

Written by `scripts/reference` from the command line's own definitions: do not edit it here.

Results go to stdout, everything else to stderr. Progress bars and questions appear on a terminal only.
Exit codes: [exit-codes.md](exit-codes.md). Targets: [targets.md](targets.md). Methods: [methods.md](methods.md).
`--json`: [json.md](json.md). Shell completion: `jvmdiag --install-completion`."""
_SHARED_HEAD = """## Shared options

These mean the same in every command that lists them."""


def page() -> str:
    """The whole page. The words are those of --help, in the order of --help; the layout is Markdown."""
    root: Any = typer.main.get_command(app)
    commands: list[Any] = list(root.commands.values())
    uses = Counter(_row(option) for command in commands for option in _options(command))
    shared = {row for row, count in uses.items() if count >= _SHARED_BY}
    in_order = dict.fromkeys(_row(option) for command in commands for option in _options(command))
    parts = [_HEAD, *(_section(command, shared) for command in commands)]
    parts += [_SHARED_HEAD, _table("Option", [row for row in in_order if row in shared])]
    return "\n\n".join(parts) + "\n"


def _section(command: Any, shared: set[tuple[str, str]]) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = _options(command)
    own = [row for option in options if (row := _row(option)) not in shared]
    others = [f"`{_names(option)[-1]}`" for option in options if _row(option) in shared]
    words = " ".join(_argument(a) for a in arguments)
    parts = [f"## {command.name}", "\n".join(line.strip() for line in command.help.strip().splitlines())]
    parts += [f"```\njvmdiag {command.name} [OPTIONS] {words}\n```"]
    parts += [_table("Argument", [(f"`{_argument(a)}`", a.help or "") for a in arguments])]
    parts += [_table("Option", own)] if own else []
    parts += [f"Shared options: {', '.join(others)}."] if others else []
    examples = [line.strip() for line in command.epilog.splitlines() if line.startswith("  ")]
    return "\n\n".join([*parts, "```console\n" + "\n".join(f"$ {line}" for line in examples) + "\n```"])


def _options(command: Any) -> list[Any]:
    return [p for p in command.params if p.param_type_name == "option" and not p.hidden]


def _argument(argument: Any) -> str:
    name = argument.metavar + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _names(option: Any) -> list[str]:
    """Short before long, as --help has them."""
    return sorted(option.opts, key=len) + list(option.secondary_opts)


def _row(option: Any) -> tuple[str, str]:
    value = "" if option.is_flag else f" {option.metavar}"
    default = ""
    if isinstance(option.show_default, str):
        default = f" Default: {option.show_default}."
    elif option.default is not None and not option.is_flag and not option.multiple:
        default = f" Default: {option.default:g}." if _is_number(option) else f" Default: {option.default}."
    variable = f" Environment: `{option.envvar}`." if option.envvar else ""
    return f"`{', '.join(_names(option))}{value}`", f"{option.help}{default}{variable}"


def _is_number(option: Any) -> bool:
    return isinstance(option.default, int | float)


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    cells = [(left.replace("|", "\\|"), right.replace("|", "\\|")) for left, right in rows]
    return "\n".join(
        [f"| {head} | Meaning |", "|---|---|", *(f"| {left} | {right} |" for left, right in cells)]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
