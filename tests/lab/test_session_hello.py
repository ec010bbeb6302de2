"""ClientHellos of a real library, and of nobody."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.lab import session


def say(
    best: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    name: str | None = "www.lab.test",
    protocols: int = 0,
) -> bytes:
    """The first flight of the standard library's client."""
    context = ssl.create_default_context()
    context.check_hostname = name is not None
    context.maximum_version = best
    if protocols:
        context.set_alpn_protocols(["x" * 200] * protocols)
    outgoing = ssl.MemoryBIO()
    end = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        end.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    ("best", "version"),
    [(ssl.TLSVersion.TLSv1_3, 0x0304), (ssl.TLSVersion.TLSv1_2, 0x0303)],
)
def test_the_best_version_is_what_the_client_can_do(best: ssl.TLSVersion, version: int) -> None:
    assert session.read(say(best)).best_version == version


@pytest.mark.parametrize("name", ["www.lab.test", "a.test", None])
def test_the_name_is_the_one_that_was_sent(name: str | None) -> None:
    assert session.read(say(name=name)).server_name == name


def test_the_size_is_that_of_the_record() -> None:
    data = say(protocols=10)

    assert session.read(data).size == len(data) == session.record_size(data) > 2_000


@pytest.mark.parametrize(
    "data", [b"", b"\x16", b"\x16\x03\x01\x00\x05hello", b"GET / HTTP/1.1\r\n"]
)
def test_what_is_no_hello_says_nothing(data: bytes) -> None:
    said = session.read(data)

    assert said.server_name is None
    assert said.best_version == 0


@given(st.binary(max_size=600))
def test_no_bytes_can_break_the_reader(data: bytes) -> None:
    session.read(data)


@given(st.integers(0, 500), st.integers(0, 255))
def test_no_damage_to_a_hello_can_break_the_reader(at: int, value: int) -> None:
    data = bytearray(HELLO)
    data[at % len(data)] = value
    session.read(bytes(data))
    session.read(HELLO[:at])


HELLO = say()
