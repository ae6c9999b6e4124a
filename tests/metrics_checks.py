"""What each figure is checked against, by the tests' own calls of `checked`, and what cannot be shown here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REAL = Path(__file__).parent / "real"
HELPER = "checked"
# A figure that no real part of the tests can be brought to, and why.
NOT_SHOWN = {
    "cpu.steal": "only the machine's hypervisor can take CPU time away",
    "network.receive_overruns": "only a network card's own driver counts them",
    "network.send_overruns": "only a network card's own driver counts them",
}


@dataclass(frozen=True)
class Check:
    """A call of `checked`: the figure, the second source in words, and the test."""

    name: str
    by: str
    test: str


@cache
def checks() -> tuple[Check, ...]:
    """Those of tests/real/test_metrics*.py, in the order of its files. Raises ValueError where one cannot be read."""
    return tuple(
        check
        for file in sorted(REAL.glob("test_metrics*.py"))
        for check in checks_in(file.read_text(encoding="utf-8"))
    )


def checks_in(source: str) -> Iterator[Check]:
    module = ast.parse(source)
    in_tests = 0
    for test in module.body:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            for call in _calls(test):
                in_tests += 1
                yield _check(call, test.name)
    if in_tests != sum(1 for _ in _calls(module)):
        raise ValueError(f"{HELPER} is called outside of a test")


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == HELPER:
            yield node


def _check(call: ast.Call, test: str) -> Check:
    by = next((one.value for one in call.keywords if one.arg == "by"), None)
    name = call.args[0]
    if not isinstance(name, ast.Constant) or not isinstance(by, ast.Constant):
        raise ValueError(f"{test}: the name of a figure and what it is checked against are literals")
    return Check(str(name.value), str(by.value), test)


def against(name: str) -> str:
    """For the reference: each second source with its test, or why there is none."""
    by = [one for one in checks() if one.name == name]
    said = dict.fromkeys(f"{one.by} (`{one.test}`)" for one in by)
    return "; ".join(said) or f"not shown here: {NOT_SHOWN[name]}"
