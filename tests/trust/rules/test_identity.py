from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from stress.model.outcome import Category
from stress.trust import Judge
from stress.trust.reading.certificate import describe
from stress.trust.rules.identity import (
    IdentitySettings,
    ascii_name,
    common_name_is,
    covers,
    literal,
    names_host,
)
from tests.trust.certificates import (
    AT,
    AUTHORITY,
    Certificate,
    Wanted,
    authorities,
    chain,
    issue,
    leaf,
)
from tests.trust.defects import good

Names = list[x509.GeneralName]


def categories(judge: Judge, sent: tuple[bytes, ...], host: str, policy: str) -> list[Category]:
    verdict = judge.judge(sent, host=host, at=AT, policy=policy)
    return [finding.category for finding in verdict.findings]


def test_an_empty_host_is_not_compared(judge: Judge) -> None:
    assert categories(judge, good(dns=()), "", "apple") == []


def test_a_certificate_without_any_fitting_name_is_both_nameless_and_wrong(judge: Judge) -> None:
    found = categories(judge, good(dns=(), common_name="localhost"), "good.test", "apple")

    assert found == [Category.HOSTNAME_MISMATCH, Category.NO_SAN]


def test_the_common_name_does_not_count_beside_a_subject_alternative_name(judge: Judge) -> None:
    sent = good(common_name="good.test", dns=("other.test",))

    assert categories(judge, sent, "good.test", "openssl") == [Category.HOSTNAME_MISMATCH]


def test_an_address_is_found_in_the_addresses(judge: Judge) -> None:
    sent = good(addresses=("192.0.2.9",))

    assert categories(judge, sent, "192.0.2.9", "any") == []
    assert categories(judge, sent, "192.0.2.8", "go") == [Category.HOSTNAME_MISMATCH]


@pytest.mark.parametrize(
    ("names", "host", "accepting"),
    [
        ({"common_name": "good.test", "dns": ()}, "good.test", {"openssl", "java", "curl"}),
        ({"common_name": "192.0.2.9", "dns": ()}, "192.0.2.9", {"curl"}),
        ({"common_name": "192.0.2.9", "dns": ("x.test",)}, "192.0.2.9", set()),
        (
            {"common_name": "good.test", "dns": (), "addresses": ("192.0.2.9",)},
            "good.test",
            {"openssl", "java"},
        ),
    ],
)
def test_the_common_name_counts_where_each_client_was_seen_to_look_at_it(
    judge: Judge, names: dict[str, object], host: str, accepting: set[str]
) -> None:
    """Measured with Python 3.11 and OpenSSL 3.0.19, curl 7.88.1, OpenJDK 17.0.15."""
    sent = good(**names)

    for policy in ("openssl", "java", "curl", "go", "apple", "chrome", "firefox", "android"):
        found = categories(judge, sent, host, policy)
        assert (found == []) == (policy in accepting), (policy, found)
        assert set(found) <= {Category.HOSTNAME_MISMATCH, Category.NO_SAN}


def test_a_name_that_no_client_looks_at_is_reported_as_such(judge: Judge) -> None:
    sent = good(common_name="192.0.2.9", dns=())

    assert categories(judge, sent, "192.0.2.9", "openssl") == [Category.NO_SAN]


@pytest.mark.parametrize(("policy", "refused"), [("openssl", True), ("go", False)])
def test_constraints_bind_the_common_name_of_those_who_look_at_it(
    judge: Judge, policy: str, refused: bool
) -> None:
    issuer = issuer_of([x509.DNSName("elsewhere.test")], None)
    made = issue(Wanted(dns=()), issuer=issuer)

    found = categories(judge, chain(made, issuer), "good.test", policy)

    assert (Category.NAME_CONSTRAINTS in found) == refused


def test_constraints_bind_the_issuers_in_between_too(judge: Judge) -> None:
    """Seen with OpenSSL: verify code 47 at depth 1."""
    narrow = issuer_of([directory("good.test")], None)
    middle = issue(replace(AUTHORITY, common_name="Middle CA"), issuer=narrow)
    again = issue(replace(AUTHORITY, common_name="Narrow CA"), issuer=narrow, key=middle.key)
    made, below = issue(Wanted(), issuer=middle), issue(Wanted(), issuer=again)

    found = categories(judge, chain(made, middle, narrow), "good.test", "openssl")
    rolled_over = categories(judge, chain(below, again, narrow), "good.test", "openssl")

    assert found == [Category.NAME_CONSTRAINTS]
    assert rolled_over == []


def test_go_does_not_know_constraints_on_directory_names(judge: Judge) -> None:
    issuer = issuer_of([directory("good.test")], None)

    found = categories(judge, chain(issue(Wanted(), issuer=issuer), issuer), "good.test", "go")

    assert found == [Category.UNHANDLED_CRITICAL_EXTENSION]


def network(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_network(text))


def directory(name: str) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)]))


def issuer_of(permitted: Names | None, excluded: Names | None) -> Certificate:
    constraints = x509.NameConstraints(permitted, excluded)
    wanted = replace(AUTHORITY, common_name="Narrow CA", critical_extra=(constraints,))
    return issue(wanted, issuer=authorities().root)


@pytest.mark.parametrize(
    ("permitted", "excluded", "refused"),
    [
        ([x509.DNSName("test")], None, False),
        ([x509.DNSName("good.test")], None, False),
        ([x509.DNSName(".test")], None, False),
        ([x509.DNSName(".good.test")], None, True),
        (None, [x509.DNSName(".good.test")], False),
        ([x509.DNSName("")], None, False),
        ([x509.DNSName("ood.test")], None, True),
        ([x509.DNSName("a.test"), x509.DNSName("good.test")], None, False),
        (None, [x509.DNSName("good.test")], True),
        (None, [x509.DNSName("bad.test")], False),
        ([network("192.0.2.0/24")], None, False),
        ([network("198.51.100.0/24")], None, True),
        (None, [network("192.0.2.0/31")], True),
        ([network("2001:db8::/32")], None, True),
        ([directory("good.test")], None, False),
        ([directory("other")], None, True),
        (None, [directory("good.test")], True),
        ([x509.RFC822Name("example.test")], None, False),
    ],
)
def test_constraints_are_held_against_each_kind_of_name(
    judge: Judge, permitted: Names | None, excluded: Names | None, refused: bool
) -> None:
    issuer = issuer_of(permitted, excluded)
    made = issue(Wanted(addresses=("192.0.2.1",)), issuer=issuer)

    found = categories(judge, chain(made, issuer), "good.test", "chrome")

    assert found == ([Category.NAME_CONSTRAINTS] if refused else [])


def test_more_names_than_clients_compare_are_rejected_quickly(judge: Judge) -> None:
    many = [x509.DNSName(f"n{number}.elsewhere.test") for number in range(600)]
    issuer = issuer_of(None, list(many))
    made = issue(Wanted(dns=[f"h{number}.test" for number in range(500)]), issuer=issuer)

    verdict = judge.judge(chain(made, issuer), host="h1.test", at=AT, policy="go")

    assert verdict.headline is not None
    assert "more names than clients" in verdict.headline.detail


LEAF = describe(
    leaf(
        common_name="common.test",
        dns=("good.test", "*.wild.test", "xn--mnchen-3ya.test"),
        addresses=("192.0.2.1", "2001:db8::1"),
    ).der
)


@pytest.mark.parametrize(
    "host",
    [
        "good.test",
        "GOOD.test.",
        "a.wild.test",
        "münchen.test",
        "192.0.2.1",
        "2001:DB8:0::1",
        "[2001:db8::1]",
    ],
)
def test_a_host_that_is_named_is_found(host: str) -> None:
    assert names_host(LEAF, host, IdentitySettings())


@pytest.mark.parametrize(
    "host",
    [
        "bad.test",
        "wild.test",
        "a.b.wild.test",
        ".wild.test",
        "common.test",
        "192.0.2.2",
        "::ffff:192.0.2.1",
        "good.test.evil.test",
        "x" * 64 + ".test",
        "ü" * 70 + ".test",
    ],
)
def test_a_host_that_is_not_named_is_not_found(host: str) -> None:
    assert not names_host(LEAF, host, IdentitySettings())


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*.test", "good.test", False),
        ("*", "good", False),
        ("g*.wild.test", "good.wild.test", False),
        ("a.*.test", "a.b.test", False),
        ("", "", False),
    ],
)
def test_a_star_is_one_whole_first_label_below_two_others(
    pattern: str, name: str, fits: bool
) -> None:
    assert covers(pattern, name) == fits


def test_the_common_name_is_compared_like_a_name() -> None:
    assert common_name_is(LEAF, "Common.Test", IdentitySettings())
    assert not common_name_is(LEAF, "good.test", IdentitySettings())
    assert not common_name_is(LEAF, "192.0.2.1", IdentitySettings())


@pytest.mark.slow
@given(st.text(max_size=300))
def test_any_text_can_be_explained(host: str) -> None:
    names_host(LEAF, host, IdentitySettings())
    common_name_is(LEAF, host, IdentitySettings())
    assert ascii_name(host) is not None
    assert literal(host) is None or host.strip("[]")
