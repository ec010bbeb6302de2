"""Known clients' hellos are built from their fields and read back to their known fingerprints."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.handshake import stack_for
from stress.handshake.hello import is_grease, ja3s, read_hello
from stress.model.plan import Client, Stack
from tests.handshake.ends import HOST
from tests.handshake.scripted import HANDSHAKE, message, record, vector

KNOWN: list[dict[str, Any]] = json.loads((Path(__file__).parent / "known_hellos.json").read_text())
GREASE = 0x4A4A


def numbers(values: Iterable[int]) -> bytes:
    return b"".join(value.to_bytes(2) for value in values)


def build(known: dict[str, Any]) -> bytes:
    """The ClientHello message with these fields; GREASE where such clients put it."""
    grease = [GREASE] if known["grease"] else []
    name, protocols = HOST.encode(), [each.encode() for each in known["alpn"]]
    shares = b"".join(numbers([group]) + vector(b"key", 2) for group in known["key_shares"])
    bodies = {
        0: vector(b"\0" + vector(name, 2), 2),
        10: vector(numbers([*grease, *known["groups"]]), 2),
        11: vector(bytes(known["point_formats"]), 1),
        13: vector(numbers(known["signature_algorithms"]), 2),
        16: vector(b"".join(vector(each, 1) for each in protocols), 2),
        43: vector(numbers([*grease, *known["versions"]]), 1),
        51: vector(shares, 2),
    }
    order = [*grease, *known["extensions"]]
    extensions = b"".join(numbers([each]) + vector(bodies.get(each, b""), 2) for each in order)
    suites = numbers([*grease, *known["cipher_suites"]])
    legacy = min(max(known["versions"]), 0x0303).to_bytes(2)
    body = legacy + bytes(32) + vector(bytes(32), 1) + vector(suites, 2) + b"\x01\x00"
    return message(1, body + vector(extensions, 2))


def case(name: str) -> dict[str, Any]:
    return next(known for known in KNOWN if known["name"] == name)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: str(known["name"]))
def test_known_clients_have_their_known_fingerprints(known: dict[str, Any]) -> None:
    hello = read_hello(record(HANDSHAKE, build(known), 0x0301))

    assert hello.ja3_md5 == known["ja3_md5"]
    assert hello.ja4 == known["ja4"]
    assert hello.grease is known["grease"]


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: str(known["name"]))
def test_a_hello_becomes_a_client_profile(known: dict[str, Any]) -> None:
    client = read_hello(build(known)).client("mine", "My app")

    assert (client.name, client.title) == ("mine", "My app")
    listed = 43 in known["extensions"]
    assert client.versions == tuple(known["versions"] if listed else known["versions"][:1])
    for field in ("cipher_suites", "groups", "key_shares", "signature_algorithms", "extensions"):
        assert getattr(client, field) == tuple(known[field])
    assert client.alpn == tuple(known["alpn"])
    assert client.session_tickets is (35 in known["extensions"])
    assert client.server_name


@pytest.mark.parametrize("size", [1, 2, 40, 100_000])
def test_a_hello_may_span_records(size: int) -> None:
    said = build(case("Chrome 131"))
    pieces = [said[at : at + size] for at in range(0, len(said), size)]

    joined = b"".join(record(HANDSHAKE, piece, 0x0301) for piece in pieces)

    assert read_hello(joined) == read_hello(said)


def test_what_a_library_really_sent_is_read(stack: Stack) -> None:
    client = Client("test", alpn=("h2",), groups=(29, 23), key_shares=(29,))
    sent = stack_for(client, stack, server_name=HOST).machine().begin().send

    hello = read_hello(sent)

    assert hello.server_name == HOST
    assert hello.versions == (0x0304, 0x0303)
    assert hello.groups == (29, 23)
    assert hello.key_shares == (29,)
    assert hello.alpn == ("h2",)
    assert hello.legacy_version == 0x0303
    assert len(hello.random) == 32
    assert 0x1301 in hello.cipher_suites
    assert hello.compression_methods == (0,)


@pytest.mark.boringssl
def test_grease_of_a_library_is_in_the_fields_and_not_in_the_fingerprints() -> None:
    client = Client("test", grease=True, compress_certificate=("brotli",))
    hello = read_hello(stack_for(client, Stack.BORINGSSL, server_name=HOST).machine().begin().send)

    assert any(map(is_grease, hello.cipher_suites))
    assert not any(is_grease(int(each)) for each in hello.ja3.split(",")[1].split("-"))
    assert hello.client("read back").grease
    assert hello.compress_certificate == ("brotli",)


@pytest.mark.parametrize(
    ("protocol", "ends"),
    [("h2", "h2"), ("http/1.1", "h1"), ("x", "xx"), ("\x02ab\xff", "0f"), ("", "00")],
)
def test_ja4_shows_the_ends_of_the_first_protocol(protocol: str, ends: str) -> None:
    said = build(case("Chrome 131") | {"alpn": []})
    body = vector(vector(protocol.encode("latin-1"), 1), 2) if protocol else vector(b"", 2)
    empty = b"\x00\x10\x00\x02\x00\x00"
    extended = said.replace(empty, b"\x00\x10" + vector(body, 2))
    grown = len(extended) - len(said)
    at = extended.index(b"\x01\x00") + 2
    head = extended[at : at + 2]
    extended = extended[:at] + (int.from_bytes(head) + grown).to_bytes(2) + extended[at + 2 :]

    hello = read_hello(message(1, extended[4:]))

    assert hello.ja4[8:10] == ends


def test_ja4_distinguishes_a_client_without_sni() -> None:
    known = case("Go 1.19")
    without = known | {"extensions": [n for n in known["extensions"] if n]}

    assert read_hello(build(without)).ja4.startswith("t13i1908")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        record(HANDSHAKE, message(2, bytes(60))),
        build(KNOWN[0])[:-1],
        record(HANDSHAKE, build(KNOWN[0]))[:-1],
        message(1, bytes(34) + b"\xff" * 10),
        message(1, bytes(35) + b"\xff\xff\0"),
    ],
)
def test_what_is_no_hello_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match="no complete ClientHello") as caught:
        read_hello(data)

    assert len(caught.value.message) <= 100
    assert caught.value.hint


@given(st.binary(max_size=300))
def test_any_bytes_are_a_hello_or_refused(data: bytes) -> None:
    for said in (data, message(1, data), message(1, bytes(34) + b"\0" + data)):
        try:
            hello = read_hello(said)
        except UsageError:
            continue
        assert hello.ja4.count("_") == 2
        assert hello.client("any").name == "any"


def test_ja3s_is_that_of_its_specification() -> None:
    """The example of salesforce/ja3, README.md, "JA3S"."""
    assert ja3s((769, 47, 65281, 0, 11, 35, 5, 16)) == "836ce314215654b5b1f85f97c73e506f"
