from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.trust.reading import extension
from stress.trust.reading.der import DerError
from stress.trust.reading.extension import GeneralNames
from tests.trust.certificates import encode, sct_list

READERS: list[Callable[[bytes], object]] = [
    extension.general_names,
    extension.name_constraints,
    extension.basic_constraints,
    extension.usages,
    extension.purposes,
    extension.subject_key_id,
    extension.authority,
    extension.issuer_urls,
    extension.features,
    extension.embedded_logs,
    extension.sct_logs,
]


@pytest.mark.slow
@pytest.mark.parametrize("read", READERS, ids=lambda one: one.__name__)
@given(data=st.binary(max_size=60))
def test_any_bytes_are_decoded_or_a_der_error(read: Callable[[bytes], object], data: bytes) -> None:
    with suppress(DerError):
        read(data)


@pytest.mark.slow
@settings(max_examples=30)
@given(
    names=st.lists(st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){0,3}", fullmatch=True), min_size=1),
    addresses=st.lists(st.ip_addresses()),
)
def test_names_that_the_library_writes_are_read_back(
    names: list[str], addresses: list[IPv4Address | IPv6Address]
) -> None:
    written = x509.SubjectAlternativeName(
        [*map(x509.DNSName, names), *map(x509.IPAddress, addresses)]
    )

    read = extension.general_names(written.public_bytes())

    assert read.dns == tuple(names)
    assert read.addresses == tuple(addresses)


def test_an_address_of_odd_length_is_kept_apart() -> None:
    data = encode(0x30, encode(0x87, b"\x7f\x01") + encode(0x87, b"\x7f\0\0\1"))

    read = extension.general_names(data)

    assert read.addresses == (ip_address("127.0.0.1"),)
    assert read.networks == (b"\x7f\x01",)


def test_other_kinds_of_names_are_only_counted() -> None:
    made = encode(0x30, encode(0x81, b"a@b") + encode(0x88, b"\x2a\3") + encode(0x89, b"x"))

    assert extension.general_names(made) == GeneralNames(mails=("a@b",), others=1, unknown=1)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (x509.BasicConstraints(ca=True, path_length=3), (True, 3)),
        (x509.BasicConstraints(ca=True, path_length=None), (True, None)),
        (x509.BasicConstraints(ca=False, path_length=None), (False, None)),
    ],
)
def test_basic_constraints(written: x509.BasicConstraints, read: tuple[bool, int | None]) -> None:
    assert extension.basic_constraints(written.public_bytes()) == read


def test_only_a_status_request_is_must_staple() -> None:
    asked = x509.TLSFeature([x509.TLSFeatureType.status_request]).public_bytes()
    other = x509.TLSFeature([x509.TLSFeatureType.status_request_v2]).public_bytes()

    assert extension.features(asked) == (5,)
    assert 5 not in extension.features(other)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_log_ids_are_read_in_order(count: int) -> None:
    wanted = tuple(bytes([number]) * 32 for number in range(count))

    assert extension.sct_logs(sct_list(count)) == wanted
    assert extension.embedded_logs(encode(0x04, sct_list(count))) == wanted


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\5abc", sct_list(2)[:-1], b"\0\4\0\2ab"])
def test_a_list_whose_lengths_do_not_add_up_is_an_error(data: bytes) -> None:
    with pytest.raises(DerError):
        extension.sct_logs(data)


def test_constraints_keep_what_is_permitted_and_what_is_excluded() -> None:
    written = x509.NameConstraints([x509.DNSName("a.test")], [x509.DNSName("b.test")])

    read = extension.name_constraints(written.public_bytes())

    assert read.permitted.dns == ("a.test",)
    assert read.excluded.dns == ("b.test",)
