"""The one-way direction of the rooms, read from the imports of every module."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = frozenset({"model", "errors"})
# A room, and the rooms that it may know. What a room does not name here, it does not import.
ARROWS: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "model": frozenset(),
    "target": frozenset({"errors"}),
    "units": frozenset(),
    "hosts": BASE | {"target"},
    "transfer": BASE,
    "hprof": BASE | {"transfer"},
    "jvm": BASE | {"hosts"},
    "jmx": frozenset(),
    "attach": BASE | {"hosts", "jvm"},
    "capture": BASE | {"hosts", "attach"},
    "impact": BASE | {"units", "hosts", "attach", "jvm"},
    "load": BASE | {"hosts", "impact"},
    "metrics": BASE | {"units", "hosts", "attach", "jvm", "jmx"},
    "snapshot": BASE | {"units", "hosts", "attach", "jvm", "capture", "impact", "metrics", "transfer"},
    "collect": BASE
    | {
        "target",
        "units",
        "hosts",
        "jvm",
        "jmx",
        "attach",
        "capture",
        "impact",
        "metrics",
        "snapshot",
        "load",
        "transfer",
        "hprof",
    },
    "report": BASE
    | {"units", "jvm", "capture", "impact", "metrics", "snapshot", "load", "transfer", "hprof", "collect"},
    "cli": BASE
    | {
        "target",
        "units",
        "hosts",
        "attach",
        "capture",
        "impact",
        "metrics",
        "snapshot",
        "load",
        "transfer",
        "hprof",
        "collect",
        "report",
    },
}
# Of the hosts, the rooms above know the seam and the place; adapters stay behind it.
HOST_MODULES: dict[str, frozenset[str]] = {
    "jvm": frozenset({"base", "place"}),
    "attach": frozenset({"base", "place", "local"}),
    "capture": frozenset({"base"}),
    "impact": frozenset({"base", "runner"}),
    "load": frozenset({"uninterrupted"}),
    "metrics": frozenset({"base", "place"}),
    "snapshot": frozenset({"place"}),
    "collect": frozenset({"base", "access", "place", "opening", "chunks", "runner", "sidecars"}),
    "cli": frozenset({"access", "place", "opening"}),
}
# Where each foreign package is imported when the program runs; a module by its path, a room by its folder.
FOREIGN: dict[str, tuple[str, ...]] = {
    "docker": ("hosts/docker_client.py",),
    "requests": ("hosts/docker_client.py", "hosts/docker_errors.py"),
    "urllib3": ("hosts/docker_client.py", "hosts/docker_errors.py"),
    "paramiko": ("hosts/ssh", "hosts/fastpipe.py"),
    "isal": ("transfer/codec.py",),
    "zstandard": ("transfer/codec.py",),
    "numba": ("hprof/loops.py",),  # only where it is installed and worth its start
    "llvmlite": ("hprof/loops.py",),
    "numpy": ("hprof/kernel.py", "hprof/loops.py"),
    "pyrage": ("transfer/seal.py",),  # only where something is encrypted
    "datadog": ("metrics/datadog.py",),  # only where something is sent
    "rich": ("cli/screen.py",),
    "typer": ("cli/",),
    "tqdm": ("cli/progress.py",),
    "gevent": ("load/recorder.py",),
    "locust": ("load/scenarios.py", "load/recorder.py"),  # run in a process of its own
    "matplotlib": ("load/plot.py",),
    "tomli": ("cli/config.py",),
    "tomllib": ("cli/config.py",),  # not of the standard library before 3.11
}


@dataclass(frozen=True)
class Import:
    """`module` (its path under jvmdiag/) imports `name`; `typing` where only a type checker sees it."""

    module: str
    name: str
    typing: bool

    @property
    def room(self) -> str:
        return room_of(self.module)

    @property
    def ours(self) -> str | None:
        """The dotted name below jvmdiag, where it is ours and not the package itself."""
        package, _, rest = self.name.partition(".")
        return rest if package == "jvmdiag" and rest else None


def room_of(path: str) -> str:
    return path.partition("/")[0].removesuffix(".py")


@cache
def modules() -> tuple[tuple[str, tuple[ast.AST, ...]], ...]:
    """Of each its path, and every node of its tree: to walk one takes as long as to parse it."""
    package = ROOT / "jvmdiag"
    return tuple(
        (path.relative_to(package).as_posix(), tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
        for path in sorted(package.rglob("*.py"))
    )


def imports_of(module: str, nodes: tuple[ast.AST, ...]) -> Iterator[Import]:
    guarded = {
        id(inner)
        for node in nodes
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute here"
            names = [_imported(str(node.module), alias.name) for alias in node.names]
        else:
            continue
        yield from (Import(module, name, id(node) in guarded) for name in names)


def _imported(package: str, name: str) -> str:
    """`from jvmdiag.attach import speak` is about the module speak."""
    return f"{package}.{name}" if (ROOT / package.replace(".", "/")).is_dir() else package


@cache
def imports() -> tuple[Import, ...]:
    return tuple(one for module, nodes in modules() for one in imports_of(module, nodes))


def test_every_room_has_its_arrows_written_down() -> None:
    assert {room_of(module) for module, _ in modules()} - {"__init__"} == ARROWS.keys()


def test_the_arrows_that_are_allowed_lead_one_way() -> None:
    order: list[str] = []
    while left := ARROWS.keys() - set(order):
        free = sorted(room for room in left if ARROWS[room] <= set(order))
        assert free, f"these rooms point at each other: {sorted(left)}"
        order += free


def test_no_room_imports_what_it_must_not_know() -> None:
    wrong = [
        f"{one.module} imports {one.name}"
        for one in imports()
        if one.ours and one.room != "__init__"
        for room in [one.ours.partition(".")[0]]
        if room not in ARROWS[one.room] | {one.room, "__version__"}
    ]
    assert wrong == []


def test_adapters_of_the_host_seam_are_known_to_the_hosts_only() -> None:
    wrong = [
        f"{one.module} imports {one.name}"
        for one in imports()
        if one.ours and one.ours.startswith("hosts.") and one.room != "hosts"
        if one.ours.removeprefix("hosts.") not in HOST_MODULES.get(one.room, frozenset())
    ]
    assert wrong == []


def test_no_module_imports_itself_by_a_detour() -> None:
    known = {module.removesuffix(".py").replace("/", ".") for module, _ in modules()}
    edges: dict[str, set[str]] = {name: set() for name in known}
    for one in imports():
        if one.ours in known and not one.typing:
            edges[one.module.removesuffix(".py").replace("/", ".")].add(one.ours)
    while leaves := [name for name, targets in edges.items() if not targets]:
        for leaf in leaves:
            del edges[leaf]
        for targets in edges.values():
            targets.difference_update(leaves)
    assert edges == {}


def test_foreign_packages_are_imported_where_they_belong_only() -> None:
    wrong = [
        f"{one.module} imports {one.name}"
        for one in imports()
        for package in [one.name.partition(".")[0]]
        if package != "jvmdiag" and not one.typing
        if package in FOREIGN or package not in sys.stdlib_module_names
        if not one.module.startswith(FOREIGN.get(package, ("\0",)))
    ]
    assert wrong == []


def test_only_the_command_line_prints() -> None:
    printing = {
        module
        for module, nodes in modules()
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert {room_of(module) for module in printing} == {"cli"}


@pytest.mark.parametrize("words", ["import jvmdiag.cli.main", "help of heapdump"])
def test_help_pays_for_nothing_that_it_does_not_need(words: str) -> None:
    heavy = ["docker", "paramiko", "requests", "tqdm", "isal", "zstandard", "rich", "numba", "numpy"]
    show_help = "main.app(['heapdump', '--help'], standalone_mode=False)" if "help" in words else ""
    program = (
        "import sys\nfrom jvmdiag.cli import main\n"
        f"{show_help}\n"
        f"print('imported:', *[name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported:"
