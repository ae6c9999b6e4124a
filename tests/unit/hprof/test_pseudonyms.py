"""Names for names: the same length, the same for the same, and nothing of the JDK's."""

from __future__ import annotations

import pytest

from jvmdiag.errors import NotADump
from jvmdiag.hprof.pseudonyms import Pseudonyms, is_of_jdk

NAMES = [
    b"com/acme/billing/Order",
    b"com/acme/billing/Order$Line",
    b"com/acme/Order$1",
    b"com/acme/billing/Order$$Lambda/0x00007f0001003200",
    b"Kunden\xc3\xbcbersicht",
    b"Ab",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_keeps_its_length_and_its_shape(name: bytes) -> None:
    made = Pseudonyms().of_name(name)
    assert len(made) == len(name)
    assert [made[n : n + 1] for n in range(len(name)) if name[n] in b"/$"] == [
        name[n : n + 1] for n in range(len(name)) if name[n] in b"/$"
    ]
    assert b"acme" not in made
    assert b"rder" not in made


def test_the_same_part_has_the_same_name_everywhere() -> None:
    names = Pseudonyms()
    order = names.of_name(b"com/acme/Order")
    assert names.of_name(b"com/acme/Order$Line").startswith(order + b"$")
    assert names.of_array_or_class(b"[[Lcom/acme/Order;") == b"[[L" + order + b";"
    assert names.of_descriptor(b"(Lcom/acme/Order;ILjava/util/Map;)[Lcom/acme/Order;") == (
        b"(L" + order + b";ILjava/util/Map;)[L" + order + b";"
    )
    assert names.of_file(b"Order.java") == order.rpartition(b"/")[2] + b".java"
    assert names.of_name(b"com/acme/Order") == order


def test_different_names_stay_different() -> None:
    names = Pseudonyms()
    words = [f"w{n:05d}".encode() for n in range(40_000)]
    assert len({names.of_name(word) for word in words}) == len(words)


@pytest.mark.parametrize(
    "name",
    [
        b"java/lang/String",
        b"[Ljava/lang/String;",
        b"[[I",
        b"jdk/internal/misc/Unsafe",
        b"sun/nio/ch/Net",
        b"com/sun/jmx/mbeanserver/Repository",
        b"javax/management/ObjectName",
        b"<init>",
    ],
)
def test_what_is_the_jdks_own_stays(name: bytes) -> None:
    assert Pseudonyms().of_array_or_class(name) == name


@pytest.mark.parametrize(
    "name", [b"javax/servlet/Servlet", b"javaclub/Member", b"java", b"org/xmlacme/A", b"[Lcom/A;"]
)
def test_what_only_looks_like_it_is_not(name: bytes) -> None:
    assert not is_of_jdk(name)


def test_no_jvm_has_more_names_of_three_letters_than_there_are() -> None:
    names = Pseudonyms()
    with pytest.raises(NotADump, match="names of 3 bytes"):
        for n in range(26**3 + 1):
            names.of_name(bytes([128 + n % 128, 128 + n // 128 % 128, 128 + n // 16384]))
