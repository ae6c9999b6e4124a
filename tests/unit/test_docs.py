"""Links lead somewhere, pages can be found, and the commands in the documentation exist."""

from __future__ import annotations

import contextlib
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from jvmdiag.cli.main import app
from jvmdiag.metrics.catalogue import described

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# What a shell would not give to jvmdiag.
_SHELL = re.compile(r"\s(?:\||>|2>|&&|;|&).*$")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _links(page: Path) -> list[str]:
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [link for link in _LINK.findall(prose) if "://" not in link and not link.startswith("mailto:")]


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    there = (page.parent / path).resolve() if path else page
    if not anchor:
        return there.exists()
    return there.is_file() and anchor in map(_anchor, _HEADING.findall(there.read_text(encoding="utf-8")))


def _anchor(heading: str) -> str:
    """As GitHub makes it: lower case, punctuation gone, blanks to dashes."""
    words = re.sub(r"[^\w\- ]", "", heading.lower())
    return words.strip().replace(" ", "-")


def _commands(page: Path) -> list[str]:
    """The command lines of the code blocks, without their prompt, `sudo` or what follows in a pipe."""
    blocks = "\n".join(_FENCE.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ")
    lines = (re.sub(r"^\s*(?:[$#] )?(?:sudo )?", "", line) for line in blocks.splitlines())
    return [_SHELL.sub("", line) for line in lines if re.match(r"jvmdiag [a-z]", line)]


@cache
def _root() -> Any:
    return typer.main.get_command(app)


def _parse(words: list[str]) -> None:
    """Raises what the command line raises for `words`; runs nothing."""
    root = _root()
    context = root.make_context("jvmdiag", list(words))
    name, command, rest = root.resolve_command(context, words)
    command.make_context(name, list(rest), parent=context)


_FIGURE = re.compile(
    r"`((?:load|cpu|memory|swap|network|tcp|connections|disk|limit|jvm|tomcat|apache|system)(?:\.[a-z0-9_]+)+)`"
)


def test_every_figure_that_the_diagnosis_by_hand_names_is_in_the_catalogue() -> None:
    figures = described().values()
    known = {one.name for one in figures} | {one.datadog for one in figures}
    named = _FIGURE.findall((ROOT / "docs/how-to/diagnose-by-hand.md").read_text(encoding="utf-8"))
    assert len(named) > 60
    assert [name for name in named if name not in known] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in _links(page) if not _leads_somewhere(page, link)] == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or not page.is_file():
            continue
        seen.add(page)
        targets = [(page.parent / link.partition("#")[0]).resolve() for link in _links(page)]
        ahead += [there for there in targets if there.suffix == ".md"]
    assert [_name(page) for page in PAGES if page not in seen] == []


@pytest.mark.parametrize(
    "line", sorted({line for page in PAGES for line in _commands(page) if " [OPTIONS] " not in line})
)
def test_every_command_in_the_documentation_parses(line: str) -> None:
    with contextlib.suppress(typer.Exit):  # --help ends by itself
        _parse(shlex.split(line, comments=True)[1:])


def test_a_command_with_an_option_that_does_not_exist_does_not_parse() -> None:
    with pytest.raises(Exception, match="No such option"):
        _parse(["ps", "web", "--nonsense"])
