"""What the options of a redaction say."""

from __future__ import annotations

import pytest

from jvmdiag.errors import BadRequest
from jvmdiag.hprof.layout import Kind
from jvmdiag.hprof.rules import KEPT_CHARACTERS, Redaction, Rules, text_of


@pytest.mark.parametrize("text", ["strings", "all", "keep:[A-Z]+"])
def test_what_is_parsed_says_the_same(text: str) -> None:
    rules = Rules.parse(text, fields=True, names=True)
    assert (rules.text, rules.fields, rules.names) == (text, True, True)


def test_what_is_not_to_be_kept_is_all() -> None:
    assert Rules.parse("keep:a").arrays is Redaction.ALL
    assert Rules.parse("strings").kinds == {Kind.BYTE, Kind.CHAR}


@pytest.mark.parametrize("text", ["", "STRINGS", "keep", "everything", "strings,all"])
def test_what_is_none_is_said(text: str) -> None:
    with pytest.raises(BadRequest, match="is none") as caught:
        Rules.parse(text)
    assert "strings, all, keep:REGEX" in caught.value.advice[0]


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "(?P<a>x)(?P<a>y)", "x{99999999999}"])
def test_a_pattern_that_is_none_is_said(pattern: str) -> None:
    with pytest.raises(BadRequest, match="no regular expression"):
        Rules.parse(f"keep:{pattern}")


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        (Kind.BYTE, b"p@ss", "p@ss"),
        (Kind.BYTE, "Größe\t1\n".encode("latin-1"), "Größe\t1\n"),
        (Kind.BYTE, "p@ss".encode("utf-16-le"), "p@ss"),
        (Kind.BYTE, "p@ss".encode("utf-16-be"), "p@ss"),
        (Kind.BYTE, "Пароль".encode("utf-16-le"), "Пароль"),
        (Kind.BYTE, "Пароль".encode("utf-16-be"), "Пароль"),
        (Kind.CHAR, "p@ss Ж".encode("utf-16-be"), "p@ss Ж"),
        (Kind.BYTE, b"", ""),
        (Kind.BYTE, b"\0\1\2", "\0\1\2"),
    ],
)
def test_an_array_is_read_as_the_text_that_it_is(kind: Kind, content: bytes, text: str) -> None:
    assert text_of(kind, content) == text


def test_half_a_character_is_no_reason_to_stop() -> None:
    assert text_of(Kind.CHAR, b"\xd8\x00\x00a") == "\ud800a"


def test_the_whole_text_has_to_match_and_not_be_long() -> None:
    rules = Rules.parse("keep:a+")
    assert rules.keeps("aaa")
    assert not rules.keeps("aaab")
    assert not rules.keeps("baaa")
    assert rules.keeps("a" * KEPT_CHARACTERS)
    assert not rules.keeps("a" * (KEPT_CHARACTERS + 1))
    assert rules.keeps_array(Kind.CHAR, "aa".encode("utf-16-be"))
    assert not rules.keeps_array(Kind.CHAR, "aa".encode("utf-16-le"))
    assert not Rules.parse("all").keeps("")


def test_the_words_say_what_goes_and_what_stays() -> None:
    assert Rules.parse("strings").words == "byte[] and char[] zeroed"
    assert Rules.parse("keep:x|y", fields=True, names=True).words == (
        "all primitive arrays but texts that match 'x|y', and all primitive fields, zeroed;"
        " names replaced but the JDK's own"
    )
