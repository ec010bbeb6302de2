from __future__ import annotations

import pytest

from stress.trust.reading.der import DerError, single
from stress.trust.reading.extension import read_name
from tests.trust.certificates import encode

CN, O = "550403", "55040a"  # noqa: E741  the attribute is called O


def attribute(oid: str, tag: int, value: bytes) -> bytes:
    return encode(0x30, encode(0x06, bytes.fromhex(oid)) + encode(tag, value))


def named(*rdns: bytes) -> bytes:
    return encode(0x30, b"".join(encode(0x31, rdn) for rdn in rdns))


@pytest.mark.parametrize(
    ("tag", "value", "text"),
    [
        (0x0C, "Zürich".encode(), "Zürich"),
        (0x13, b"Zurich", "Zurich"),
        (0x14, "Zürich".encode("latin-1"), "Zürich"),
        (0x1E, "Zürich".encode("utf-16-be"), "Zürich"),
        (0x1C, "Zürich".encode("utf-32-be"), "Zürich"),
        (0x0C, b"\xff\xfe", "\ufffd\ufffd"),
    ],
    ids=["utf8", "printable", "teletex", "bmp", "universal", "broken"],
)
def test_every_string_type_becomes_text(tag: int, value: bytes, text: str) -> None:
    name = read_name(single(named(attribute(CN, tag, value))))

    assert name.common_names == (text,)
    assert name.text == f"CN={text}"


def test_the_most_specific_part_stands_first() -> None:
    name = read_name(single(named(attribute(O, 0x0C, b"Org"), attribute(CN, 0x0C, b"Name"))))

    assert name.text == "CN=Name, O=Org"


def test_names_are_compared_without_case_spaces_and_string_type() -> None:
    one = read_name(single(named(attribute(CN, 0x0C, b"Test  CA"))))
    two = read_name(single(named(attribute(CN, 0x13, b" test ca "))))
    other = read_name(single(named(attribute(O, 0x0C, b"Test CA"))))

    assert one.normal == two.normal
    assert one.normal != other.normal


@pytest.mark.parametrize(
    "data",
    [encode(0x31, b""), encode(0x30, encode(0x30, b"")), named(encode(0x30, b"")), named(b"\x05")],
)
def test_what_is_no_name_is_an_error(data: bytes) -> None:
    with pytest.raises(DerError):
        read_name(single(data))
