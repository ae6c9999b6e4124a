"""The reference pages say what the code says."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from jvmdiag.model import (
    CommandRecord,
    Cost,
    CostSample,
    Dip,
    LeftBehind,
    LoggedSecond,
    Pause,
    ProbeToll,
    Witness,
)
from jvmdiag.snapshot.asked import QUICK, WORK
from jvmdiag.snapshot.item import Item
from jvmdiag.snapshot.kernel import KERNEL, STANDING
from jvmdiag.transfer.bundle import Bundle, BundledItem
from jvmdiag.transfer.manifest import JvmFacts, Manifest, Tool
from tests import metrics_page
from tests.commands_page import PAGE, page

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def test_the_page_of_commands_is_what_the_command_line_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run scripts/reference"


def test_the_page_of_metrics_is_what_the_catalogue_says() -> None:
    assert metrics_page.PAGE.read_text(encoding="utf-8") == metrics_page.page(), "run scripts/reference"


KINDS = (
    *(Manifest, JvmFacts, Pause, Tool, Witness, LeftBehind, CommandRecord),
    *(Cost, Dip, ProbeToll, CostSample, LoggedSecond),
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_the_manifest_is_described(kind: type) -> None:
    text = (REFERENCE / "manifest.md").read_text(encoding="utf-8")
    section = text.partition(f"<!-- {kind.__name__} -->")[2].partition("<!--")[0]
    described = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    computed = {"ratio"} if kind is Manifest else set()
    assert described == {field.name for field in dataclasses.fields(kind)} | computed


@pytest.mark.parametrize("kind", [Bundle, BundledItem])
def test_every_field_of_a_snapshots_manifest_is_described(kind: type) -> None:
    text = (REFERENCE / "snapshot.md").read_text(encoding="utf-8")
    section = text.partition(f"<!-- {kind.__name__} -->")[2].partition("<!--")[0]
    described = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert described == {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize("item", [*QUICK, *KERNEL, *WORK, *STANDING], ids=lambda item: item.name)
def test_every_item_of_a_snapshot_is_described_with_its_risk_and_its_bound(item: Item) -> None:
    text = (REFERENCE / "snapshot.md").read_text(encoding="utf-8")
    assert f"| `{item.name}` | `{item.file}` | {item.risk.value} | {item.timeout_s:g} s |" in text


def test_every_environment_variable_of_ours_is_described() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "jvmdiag").rglob("*.py"))
    described = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    read = set(re.findall(r"\bJVMDIAG_[A-Z_]+\b", code))
    assert read
    assert read <= set(re.findall(r"\bJVMDIAG_[A-Z_]+\b", described))


def test_every_schema_of_json_is_described() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "jvmdiag").rglob("*.py"))
    schemas = set(re.findall(r'\bdocument\(\s*"([a-z-]+)"', code))
    described = set(
        re.findall(r"^## jvmdiag\.([a-z-]+)/1$", (REFERENCE / "json.md").read_text(), re.MULTILINE)
    )
    assert schemas
    assert schemas == described
