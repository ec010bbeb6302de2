from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from stress.model.chain import Refusal
from stress.model.outcome import Category
from stress.trust import Judge
from tests.trust.certificates import (
    AT,
    AUTHORITY,
    CLIENT,
    DAY,
    HOST,
    SERVER,
    Wanted,
    authorities,
    chain,
    issue,
)
from tests.trust.defects import ALL, below, good

ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


def refusing(judge: Judge, sent: tuple[bytes, ...], category: Category) -> set[str]:
    found = set()
    for name in ALL:
        verdict = judge.judge(sent, host=HOST, at=AT, policy=name)
        hits = [one for one in verdict.findings if one.category is category]
        if any(one.refusal is Refusal.YES for one in hits):
            found.add(name)
    return found


def test_any_purpose_is_enough_for_some(judge: Judge) -> None:
    strict = refusing(judge, good(purposes=(ANY,)), Category.WRONG_EKU)

    assert strict == {"apple", "firefox", "openssl", "curl"}


def test_an_intermediate_for_clients_only_may_not_issue_for_servers(judge: Judge) -> None:
    found = refusing(judge, below(purposes=(CLIENT,)), Category.WRONG_EKU)

    assert found == {"chrome", "firefox", "go", "openssl", "curl"}


def test_apple_looks_at_an_intermediates_purpose_under_public_roots(public_judge: Judge) -> None:
    found = refusing(public_judge, below(purposes=(CLIENT,)), Category.WRONG_EKU)

    assert {"apple", "apple-ios12"} <= found


def test_an_intermediate_for_servers_or_for_anything_may_issue(judge: Judge) -> None:
    assert refusing(judge, below(purposes=(SERVER, CLIENT)), Category.WRONG_EKU) == set()
    refused = refusing(judge, below(purposes=(ANY,)), Category.WRONG_EKU)
    assert refused == {"firefox", "openssl", "curl"}


def test_old_private_leaves_need_no_purpose(judge: Judge) -> None:
    """HT210176 holds for what was issued after 2019-07-01."""
    sent = good(purposes=None, starts=-8 * 365 * DAY)

    assert refusing(judge, sent, Category.MISSING_EKU) == set()


def test_self_issued_certificates_do_not_count_for_the_path_length(judge: Judge) -> None:
    upper = issue(
        replace(AUTHORITY, common_name="Rolling CA", path_length=0), issuer=authorities().root
    )
    rolled = issue(replace(AUTHORITY, common_name="Rolling CA"), issuer=upper, key=upper.key)
    made = issue(Wanted(), issuer=rolled)

    assert refusing(judge, chain(made, rolled, upper), Category.PATH_LENGTH) == set()


@pytest.mark.parametrize(
    ("extension", "told"),
    [
        (x509.PrecertPoison(), "CT poison: this is a precertificate"),
        (
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"), b"\x04\x00"),
            "acmeIdentifier: an ACME challenge certificate",
        ),
    ],
)
def test_critical_extensions_that_are_known_by_name_say_what_happened(
    judge: Judge, extension: x509.ExtensionType, told: str
) -> None:
    verdict = judge.judge(good(critical_extra=(extension,)), host=HOST, at=AT, policy="any")

    assert verdict.headline is not None
    assert verdict.headline.category is Category.UNHANDLED_CRITICAL_EXTENSION
    assert told in verdict.headline.detail


def test_java_and_browsers_do_not_understand_critical_revocation_lists(judge: Judge) -> None:
    points = x509.CRLDistributionPoints(
        [
            x509.DistributionPoint(
                [x509.UniformResourceIdentifier("http://ca.test/crl")], None, None, None
            )
        ]
    )

    found = refusing(judge, good(critical_extra=(points,)), Category.UNHANDLED_CRITICAL_EXTENSION)

    assert found == {"java", "chrome", "firefox"}


def test_a_self_signed_certificate_that_says_ca_stays_self_signed(judge: Judge) -> None:
    """`openssl req -x509` sets CA:TRUE; that is not what is wrong with it."""
    sent = chain(issue(Wanted(ca=True, common_name="default")))

    verdict = judge.judge(sent, host=HOST, at=AT, policy="apple")

    assert verdict.headline is not None
    assert verdict.headline.category is Category.SELF_SIGNED
