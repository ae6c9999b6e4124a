"""The hierarchy is a contract: one exit code a leaf, drawn as it is, documented as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jvmdiag import errors
from jvmdiag.errors import BadRequest, JvmdiagError, NoSuchTarget

ROOT = Path(__file__).parents[2]
# "│   ├── NoSuchTarget            10   no container of that name"
DRAWN = re.compile(
    r"^(?P<indent>(?:│   |    )*)(?:[├└]── )?(?P<name>\w+)(?: +(?P<code>\d+)   (?P<says>.+))?$"
)


def descendants(kind: type[JvmdiagError]) -> Iterator[type[JvmdiagError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from descendants(child)


ALL = tuple(descendants(JvmdiagError))
LEAVES = tuple(kind for kind in ALL if not kind.__subclasses__())


def drawn_tree() -> dict[str, tuple[str | None, int | None]]:
    """Name to the name above it and the exit code, as the docstring draws them."""
    tree: dict[str, tuple[str | None, int | None]] = {}
    above: list[str] = []
    for line in str(errors.__doc__).splitlines()[2:]:
        match = DRAWN.match(line)
        assert match, f"not a line of the tree: {line!r}"
        depth = len(match["indent"]) // 4 + ("── " in line)
        above = [*above[:depth], match["name"]]
        tree[match["name"]] = (above[-2] if depth else None, int(match["code"]) if match["code"] else None)
    return tree


def test_every_leaf_has_an_exit_code_of_its_own() -> None:
    own = [kind.exit_code for kind in LEAVES if "exit_code" in vars(kind)]
    assert len(own) == len(LEAVES) == len(set(own))


def test_exit_codes_are_none_that_mean_something_else() -> None:
    # 0 success, 1 what nobody foresaw, 126 and 127 the shell's own, 128 + n signals: of these only Ctrl-C and SIGTERM.
    codes = {kind.exit_code for kind in LEAVES}
    assert codes & ({0, 1} | set(range(124, 256))) == {130, 143}


def test_only_leaves_have_codes() -> None:
    branches = [kind for kind in ALL if kind.__subclasses__()]
    assert [kind.__name__ for kind in branches if "exit_code" in vars(kind)] == []


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    above = {kind.__name__: kind.__bases__[0].__name__ for kind in ALL}
    code = {kind.__name__: kind.exit_code for kind in LEAVES}
    expected = {name: (above[name], code.get(name)) for name in above}
    assert drawn_tree() == {"JvmdiagError": (None, 1), **expected}


def test_the_reference_is_what_the_generator_prints() -> None:
    printed = subprocess.run(
        [sys.executable, ROOT / "scripts/exit-codes"], capture_output=True, text=True, check=True
    )
    assert printed.stdout == (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8")


def test_the_reference_has_a_line_for_each_leaf() -> None:
    lines = (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8").splitlines()
    for kind in LEAVES:
        assert sum(line.startswith(f"| {kind.exit_code} | `{kind.__name__}` |") for line in lines) == 1


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: str(kind.__name__))
def test_every_error_carries_what_why_and_advice(kind: type[JvmdiagError]) -> None:
    error = kind("it broke", why="the disk is full", advice=("free some", "try again"))
    assert (error.what, error.why, error.advice) == (
        "it broke",
        "the disk is full",
        ("free some", "try again"),
    )
    assert str(error) == "it broke: the disk is full"


def test_one_line_of_advice_need_not_be_a_tuple() -> None:
    assert NoSuchTarget("no web", advice="try docker ps").advice == ("try docker ps",)
    assert BadRequest("no").advice == ()
    assert str(BadRequest("no")) == "no"
