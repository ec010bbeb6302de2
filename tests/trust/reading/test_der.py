from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.trust.reading import der
from stress.trust.reading.der import DerError, Element
from tests.trust.certificates import encode


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 70_000])
def test_every_length_form_is_read(length: int) -> None:
    data = encode(0x04, b"x" * length)

    element = der.single(data)

    assert (element.tag, len(element.body), element.raw) == (0x04, length, data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x02\x05",
        b"\x30\x80\x05\x00",
        b"\x30\x85\x00\x00\x00\x00\x01x",
        b"\x1f\x81\x01\x00",
        b"\x05\x00\x05\x00",
    ],
    ids=["empty", "no-length", "cut", "endless", "5-octet-length", "long-tag", "two"],
)
def test_what_is_no_single_element_is_an_error(data: bytes) -> None:
    with pytest.raises(DerError):
        der.single(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_elements_or_an_error(data: bytes) -> None:
    try:
        found = list(der.elements(data))
    except DerError:
        return
    assert b"".join(one.raw for one in found) == data


@pytest.mark.parametrize(
    ("body", "text"),
    [("551d11", "2.5.29.17"), ("2a864886f70d01010b", "1.2.840.113549.1.1.11"), ("28", "1.0")],
)
def test_object_identifiers_are_written_with_dots(body: str, text: str) -> None:
    assert der.oid(bytes.fromhex(body)) == text


@pytest.mark.parametrize("body", ["", "2a86", "ff" * 20 + "01"])
def test_a_cut_or_endless_object_identifier_is_an_error(body: str) -> None:
    with pytest.raises(DerError):
        der.oid(bytes.fromhex(body))


@given(st.integers(-(2**70), 2**70))
def test_integers_keep_their_sign(value: int) -> None:
    body = value.to_bytes(10, "big", signed=True)

    assert der.integer(body) == value


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001  UTC is added below
def test_generalized_times_agree_with_the_calendar(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    text = moment.strftime("%Y%m%d%H%M%SZ").rjust(15, "0")

    assert der.seconds(Element(0x18, text.encode(), b"")) == moment.timestamp()


@pytest.mark.parametrize(
    ("text", "year"), [(b"491231235959Z", 2049), (b"500101000000Z", 1950), (b"000101000000Z", 2000)]
)
def test_two_digit_years_turn_at_fifty(text: bytes, year: int) -> None:
    seconds = der.seconds(Element(0x17, text, b""))

    assert datetime.fromtimestamp(seconds, UTC).year == year


def test_the_year_zero_is_a_moment_too() -> None:
    assert der.seconds(Element(0x18, b"00000101000000Z", b"")) == -62_167_219_200


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (0x17, b"20261001000000Z"),
        (0x18, b"20261301000000Z"),
        (0x18, b"20261001250000Z"),
        (0x18, b"20261001000000+"),
        (0x18, "\uff12\uff10\uff121001000000Z".encode()),
        (0x0C, b"20261001000000Z"),
    ],
)
def test_what_is_no_time_is_an_error(tag: int, text: bytes) -> None:
    with pytest.raises(DerError):
        der.seconds(Element(tag, text, b""))


def test_first_and_expect_ask_for_a_tag() -> None:
    outer = der.single(encode(0x30, encode(0x02, b"\x01")))

    assert outer.first(0x02).body == b"\x01"
    with pytest.raises(DerError):
        outer.first(0x04)
    with pytest.raises(DerError):
        der.single(encode(0x30, b"")).first(0x02)
    with pytest.raises(DerError):
        outer.expect(0x31)


@pytest.mark.parametrize("body", [b"", b"\x08x"])
def test_a_bit_string_counts_its_unused_bits(body: bytes) -> None:
    assert der.bits(b"\x01\xfe") == b"\xfe"
    with pytest.raises(DerError):
        der.bits(body)
