from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest
from cryptography import x509

from stress.model.outcome import Category
from stress.trust import Judge
from tests.trust.certificates import AT, AUTHORITY, Certificate, Wanted, authorities, chain, issue
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

    found = categories(judge, chain(made, issuer), "good.test", "go")

    assert found == ([Category.NAME_CONSTRAINTS] if refused else [])


def test_more_names_than_anybody_compares_are_refused_quickly(judge: Judge) -> None:
    many = [x509.DNSName(f"n{number}.elsewhere.test") for number in range(600)]
    issuer = issuer_of(None, list(many))
    made = issue(Wanted(dns=[f"h{number}.test" for number in range(500)]), issuer=issuer)

    verdict = judge.judge(chain(made, issuer), host="h1.test", at=AT, policy="go")

    assert verdict.headline is not None
    assert "so many names" in verdict.headline.detail
