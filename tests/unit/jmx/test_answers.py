"""What real agents of JVM 11 to 25 answered is read; whatever else comes is refused in bounded time."""

from __future__ import annotations

import random
import struct

import pytest

from jvmdiag.jmx.jrmp import (
    REGISTRY_ID,
    Call,
    Method,
    RemoteRef,
    Returned,
    Thrown,
    answers,
    remote_ref,
    request,
    stub_ref,
)
from jvmdiag.jmx.mbeans import attributes_in, lookup, names_in, new_client
from jvmdiag.jmx.objects import instances, object_name, plain, string, strings, utf
from jvmdiag.jmx.stream import HEADER, BadStream, Instance, Reader, decode_utf
from tests.unit.jmx.answers import (
    ANYONE,
    CONNECT,
    JDKS,
    KINDS,
    LOOKUP,
    MISSING,
    QUERIES,
    answer,
    reading,
    recorded,
)


def returned(name: str, calls: list[Call]) -> tuple[Returned, ...]:
    found = answer(name, calls)
    assert all(isinstance(one, Returned) for one in found)
    return tuple(one for one in found if isinstance(one, Returned))


@pytest.mark.parametrize("jdk", JDKS)
def test_a_connection_is_a_remote_object_on_the_agents_port(jdk: str) -> None:
    (came,) = returned(f"{jdk}-connect", CONNECT)
    ref = remote_ref(came.value)
    assert 1024 < ref.port < 65536 and len(ref.object_id) == 22 and ref.factory == ""
    assert len(came.ack) == 14
    # The number of the object is of chance, and that of the agent's process its end.
    assert ref.object_id[8:12] == came.ack[:4]


@pytest.mark.parametrize("jdk", JDKS)
def test_names_are_read_of_each_query(jdk: str) -> None:
    threading, pools, nobody = (names_in(one.value) for one in returned(f"{jdk}-names", QUERIES))
    assert threading == ("java.lang:type=Threading",)
    assert "java.lang:name=CodeHeap 'non-nmethods',type=MemoryPool" in pools
    assert len(pools) == 8
    assert nobody == ()


@pytest.mark.parametrize("jdk", JDKS)
def test_attributes_are_read_and_those_that_are_missing_left_out(jdk: str) -> None:
    *beans, closed = returned(f"{jdk}-attributes", reading(9))
    threads = attributes_in(beans[0].value)
    assert threads.keys() == {"ThreadCount", "DaemonThreadCount"}
    assert 10 < float(threads["ThreadCount"] or 0) < 50
    pools = [attributes_in(one.value) for one in beans[1:]]
    assert all(pool["Valid"] is True for pool in pools)
    assert "Metaspace" in [pool["Name"] for pool in pools]
    assert closed.value is None


@pytest.mark.parametrize("jdk", JDKS)
def test_an_exception_is_told_by_its_class_and_message(jdk: str) -> None:
    (came,) = answer(f"{jdk}-missing", MISSING)
    assert came == Thrown("javax.management.InstanceNotFoundException", "nobody:type=x")


def test_a_wrong_password_is_told_as_such() -> None:
    (came,) = answer("refused", CONNECT)
    assert came == Thrown(
        "java.lang.SecurityException", "Authentication failed! Invalid username or password"
    )


@pytest.mark.parametrize("jdk", JDKS)
def test_the_registry_names_the_agents_server(jdk: str) -> None:
    (came,) = returned(f"{jdk}-lookup", LOOKUP)
    ref = remote_ref(came.value)
    assert ref.host.startswith("198.") and ref.port > 1024


def test_methods_are_told_by_their_published_hashes() -> None:
    # Those in sun.rmi.registry.RegistryImpl_Skel, and in the stubs that rmic made of javax.management.remote.rmi.
    assert int.from_bytes(lookup().method.hash, "big", signed=True) == -7538657168040752697
    new = new_client(ANYONE, None, None).method.hash
    assert int.from_bytes(new, "big", signed=True) == -1089742558549201240
    close = Method("close()V").hash
    assert int.from_bytes(close, "big", signed=True) == -4742752445160157748


def test_a_request_is_one_piece_that_ends_with_no_operation() -> None:
    sent = request([lookup()], [b"u" * 14])
    assert sent.startswith(
        b"JRMI\x00\x02\x4b\x00\x00\x00\x00\x00\x00\x50" + HEADER + b"\x77\x22" + REGISTRY_ID
    )
    assert sent.endswith(string("jmxrmi") + b"\x54" + b"u" * 14 + b"\xff")


def test_arguments_are_read_back_as_they_were_written() -> None:
    names = (
        "monitor",
        "pass\0word \N{LATIN SMALL LETTER E WITH ACUTE} \N{OLD PERMIC LETTER AN}",
        "x" * 70_000,
    )
    array = Reader(strings(names)).value()
    assert isinstance(array, Instance) and array.items == names
    assert names_in(Reader(object_name("*:type=A,*")).value()) == ("*:type=A,*",)
    # writeUTF of NUL is C0 80, and of what is beyond 16 bits two halves of three bytes each.
    assert utf("\0") == b"\x00\x02\xc0\x80" and len(utf("\N{OLD PERMIC LETTER AN}")) == 8
    assert decode_utf(utf("\N{OLD PERMIC LETTER AN}")[2:]) == "\N{OLD PERMIC LETTER AN}"


@pytest.mark.parametrize("name", KINDS)
def test_an_answer_that_is_cut_anywhere_is_none(name: str) -> None:
    data = recorded(name)
    for size in range(0, len(data), 1 + len(data) // 1000):
        with pytest.raises(BadStream):
            answers(data[:size], KINDS[name])
    with pytest.raises(BadStream):
        answers(data + b"\x51", KINDS[name])


@pytest.mark.parametrize("name", KINDS)
def test_flipped_bits_give_an_answer_or_badstream_and_nothing_else(name: str) -> None:
    data, chance = recorded(name), random.Random(20261130)
    refused = 0
    for _ in range(400):
        broken = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 8))):
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        try:
            for one in answers(bytes(broken), KINDS[name]):
                if isinstance(one, Returned):
                    assert isinstance(names_in(one.value), tuple)
                    assert isinstance(attributes_in(one.value), dict)
                    if name.endswith(("connect", "lookup")):
                        assert isinstance(remote_ref(one.value), RemoteRef)
                else:
                    assert one.message.isprintable() and len(one.message) <= 200
        except BadStream:
            refused += 1
    assert refused > 100


def described(name: str, flags: int = 2) -> bytes:
    return b"\x72" + utf(name) + bytes(8) + bytes((flags,)) + b"\x00\x00" + b"\x78\x70"


def array_of(size: int, kind: str = "[Ljava.lang.Object;") -> bytes:
    return b"\x75" + described(kind) + struct.pack(">i", size)


HOSTILE = {
    "nested": array_of(1) * 5000 + b"\x70",
    "a class that is its own parent": b"\x73\x72"
    + utf("A")
    + bytes(8)
    + b"\x02\x00\x00\x78\x71\x00\x7e\x00\x00",
    "an array larger than what there is": array_of((1 << 31) - 1) + b"\x70" * 100,
    "numbers larger than what there is": array_of((1 << 31) - 1, "[J") + bytes(100),
    "a negative array": array_of(-1),
    "a string of 2^62": b"\x7c" + struct.pack(">q", 1 << 62) + b"abc",
    "a negative string": b"\x7c" + struct.pack(">q", -1),
    "a negative block": b"\x7a" + struct.pack(">i", -1),
    "a mebibyte of nulls": array_of(1 << 20) + b"\x70" * (1 << 20),
    "a mebibyte of resets": b"\x79" * (1 << 20),
    "an old externalizable object": b"\x73" + described("A", 4),
    "what was never there": b"\x71\x00\x7e\x00\x05",
    "a handle before the first": b"\x71\x00\x00\x00\x00",
    "an exception of the writer": b"\x7b",
    "a field of no type": b"\x73\x72" + utf("A") + bytes(8) + b"\x02\x00\x01" + b"?" + utf("x") + b"\x78\x70",
    "a proxy of too many": b"\x7d" + struct.pack(">i", (1 << 31) - 1),
    "half a character": b"\x74\x00\x01\xe2",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_eat_memory_or_the_stack_is_refused(name: str) -> None:
    with pytest.raises(BadStream):
        Reader(HOSTILE[name]).value()
    (came,) = returned("jdk17-connect", CONNECT)
    head = b"\x4e" + utf("h") + bytes(4) + b"\x51" + HEADER + b"\x77\x0f\x01" + came.ack
    with pytest.raises(BadStream):
        answers(head + HOSTILE[name], CONNECT)


def test_a_line_of_ancestors_that_grows_link_by_link_is_refused() -> None:
    # Each class is known when the next one names it, so that nothing is nested.
    links = b"".join(
        b"\x76\x72"
        + utf(f"C{n}")
        + bytes(8)
        + b"\x02\x00\x00\x78"
        + b"\x71"
        + struct.pack(">i", 0x7E0001 + 2 * n)
        for n in range(1000)
    )
    reader = Reader(described("C") + links)
    reader.value()
    with pytest.raises(BadStream):
        for _ in range(1000):
            reader.value()


def test_objects_that_point_at_each_other_are_walked_once() -> None:
    ring = b"\x75" + described("[Ljava.lang.Object;") + struct.pack(">i", 2) + b"\x71\x00\x7e\x00\x01" * 2
    (one,) = instances(Reader(ring).value())
    assert plain(one) is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"HTTP/1.1 400 \r\n\r\n", "it does not speak RMI"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "it speaks TLS"),
        (b"\x4f", "it does not speak RMI"),
        (b"", "it is cut"),
    ],
)
def test_who_speaks_something_else_is_told_so(data: bytes, expected: str) -> None:
    with pytest.raises(BadStream, match=expected):
        answers(data, CONNECT)


def test_a_message_of_an_exception_is_one_line_that_moves_no_cursor() -> None:
    head = b"\x4e" + utf("h") + bytes(4) + b"\x51" + HEADER + b"\x77\x0f\x02" + bytes(14)
    field = b"L" + utf("detailMessage") + string("Ljava/lang/String;")
    kind = b"\x72" + utf("x.Oops") + bytes(8) + b"\x02\x00\x01" + field + b"\x78\x70"
    (came,) = answers(head + b"\x73" + kind + string("\x1b[2Jgone\n\tat a.b(C.java)"), CONNECT)
    assert came == Thrown("x.Oops", "?[2Jgone")


def test_a_stub_that_names_a_factory_of_sockets_says_so() -> None:
    ref = struct.pack(">H", 11) + b"UnicastRef2" + b"\x01" + utf("h") + struct.pack(">i", 9010)
    parts = (
        b"\x77" + bytes((len(ref),)) + ref + b"\x73" + described("javax.rmi.ssl.SslRMIClientSocketFactory")
    )
    end = b"\x77\x17" + bytes(22) + b"\x00\x78"
    stub = HEADER + b"\x73" + described("java.rmi.server.RemoteObject", 3) + parts + end
    assert stub_ref(stub) == RemoteRef("h", 9010, bytes(22), "javax.rmi.ssl.SslRMIClientSocketFactory")
    with pytest.raises(BadStream):
        stub_ref(HEADER + b"\x70")
    with pytest.raises(BadStream):
        stub_ref(stub.replace(struct.pack(">i", 9010), struct.pack(">i", 90100)))
