"""Results as documents: a schema, plain values, and no secrets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jvmdiag.errors import NoMethod
from jvmdiag.model import Owner, Vm, Witness
from jvmdiag.report.json import document, error_document, jvm_fields
from tests.unit.jvm.probe_case import the_jvm_of

LIMITED = the_jvm_of("options-and-limit-inside")


def read(text: str) -> dict[str, Any]:
    said = json.loads(text)
    assert isinstance(said, dict)
    return said


def test_a_document_begins_with_its_schema_and_version() -> None:
    said = read(document("ps", jvms=[]))
    assert next(iter(said.items())) == ("schema", "jvmdiag.ps/1")


@dataclass(frozen=True)
class Inner:
    vm: Vm
    owner: Owner


def test_values_of_every_kind_become_plain_ones() -> None:
    said = read(
        document(
            "x",
            nested=Inner(Vm.HOTSPOT, Owner(1, 2)),
            path=Path("/tmp/größe"),
            witnesses=(Witness("a", True, "b"),),
            nothing=None,
        )
    )
    assert said["nested"] == {"vm": "HotSpot", "owner": {"uid": 1, "gid": 2}}
    assert (said["path"], said["nothing"]) == ("/tmp/größe", None)
    assert said["witnesses"] == [{"name": "a", "agrees": True, "detail": "b"}]


def test_letters_stay_readable() -> None:
    assert "größe" in document("x", path="größe")


def test_what_has_no_plain_form_is_a_mistake_and_not_a_repr() -> None:
    with pytest.raises(TypeError, match="no JSON for object"):
        document("x", value=object())


def test_a_jvm_is_shown_without_the_values_that_may_be_secrets() -> None:
    text = document("ps", jvms=[LIMITED])
    assert "hunter2" not in text
    assert "two words" not in text
    assert "it has blanks" not in text
    [jvm] = read(text)["jvms"]
    assert "-Dtoken=***" in jvm["options"]
    assert jvm["command"][-1] == "(+2 arguments)"


def test_a_jvm_has_the_fields_that_people_ask_for() -> None:
    jvm = read(document("ps", jvms=[LIMITED]))["jvms"][0]
    assert {"pid", "nspids", "user", "vm", "version", "uptime_s", "heap", "threads", "main"} <= jvm.keys()
    assert jvm["heap"] == {"used_bytes": 18485160, "committed_bytes": 59768832, "max_bytes": 104857600}
    assert jvm["memory"] == {"limit_bytes": 419430400, "used_bytes": 45703168}


def test_how_it_was_looked_at_is_nobodys_business() -> None:
    assert not {"mounts", "mnt_ns", "interpreters", "readable", "seen_as_root"} & jvm_fields(LIMITED).keys()


def test_an_error_is_a_document_with_its_exit_code() -> None:
    said = read(
        error_document(NoMethod("no way", why="none", advice=("  direct: no perl", "  quit: no log")))
    )
    assert said == {
        "schema": "jvmdiag.error/1",
        "error": "NoMethod",
        "exit_code": 40,
        "what": "no way",
        "why": "none",
        "advice": ["  direct: no perl", "  quit: no log"],
    }
