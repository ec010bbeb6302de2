from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stress.model.outcome import Category
from stress.trust import Judge, describe
from stress.trust.encoding import encoding_findings
from stress.trust.path import (
    LONGEST,
    MOST_PATHS,
    Gap,
    Issuers,
    Known,
    Paths,
    Signature,
    build_paths,
    check,
    find_gap,
)
from stress.trust.policy import find_policy
from stress.trust.reading.certificate import CertificateFacts
from stress.trust.reading.key import Signing
from tests.trust.certificates import (
    AUTHORITY,
    Certificate,
    Wanted,
    authorities,
    chain,
    elliptic,
    issue,
    leaf,
    rsa_key,
)
from tests.trust.defects import DEFECTS, good, private, stranger_below, two_intermediates, under_rsa


def paths(sent: tuple[bytes, ...], anchors: tuple[bytes, ...] = ()) -> Paths:
    roots = Issuers(anchors or authorities().anchors)
    return build_paths([describe(der) for der in sent], roots)


def test_a_good_chain_has_one_path_that_ends_in_the_anchor() -> None:
    found = paths(good())

    (path,) = found.complete
    assert [link.position for link in path.links] == [0, 1, None]
    assert path.top.facts.common_name == "Test Root"


def test_the_order_sent_does_not_matter() -> None:
    first, second, third = two_intermediates()

    (path,) = paths((first, third, second)).complete

    assert [link.position for link in path.links] == [0, 2, 1, None]


def test_a_root_that_was_sent_is_the_anchor_in_its_place() -> None:
    (path,) = paths((*good(), authorities().root.der)).complete

    assert len(path.links) == 3


def test_a_cross_signed_root_counts_as_the_root_it_is() -> None:
    """The old cross-sign expired in 2021 and clients went on: trusted first."""
    a = authorities()
    cross = issue(replace(AUTHORITY, common_name="Test Root"), issuer=a.rogue_root)
    sent = (*good(), cross.der)

    found = paths(sent)

    assert any(path.top.facts.der == a.root.der for path in found.complete)


def test_two_roots_of_one_key_give_two_ways_up() -> None:
    a = authorities()
    cross = issue(replace(AUTHORITY, common_name="Test Root"), issuer=a.rogue_root)

    found = paths((*good(), cross.der), (a.rogue_root.der,))

    (path,) = found.complete
    assert [link.facts.common_name for link in path.links] == [
        "good.test",
        "Test Intermediate",
        "Test Root",
        "Rogue Root",
    ]


def test_an_intermediate_as_anchor_ends_a_path_and_lets_it_go_on() -> None:
    a = authorities()

    found = paths(good(), (a.intermediate.der, a.root.der))

    assert sorted(len(path.links) for path in found.complete) == [2, 3]


def test_a_leaf_is_an_anchor_only_as_the_very_certificate() -> None:
    one = issue(Wanted(common_name="pinned leaf"))
    again = issue(Wanted(common_name="pinned leaf"))

    assert paths(chain(one), (one.der,)).complete
    assert not paths(chain(again), (one.der,)).complete


def test_a_wrong_signature_breaks_a_link_and_is_reported() -> None:
    fake = issue(
        replace(AUTHORITY, common_name="Test Intermediate"),
        issuer=authorities().root,
        key=elliptic("fake"),
    )

    found = paths(chain(leaf(), fake))

    assert not found.complete
    assert len(found.longest.links) == 1
    assert [(child.position, issuer.position) for child, issuer in found.broken] == [(0, 1)]


def test_known_certificates_stand_in_only_when_given() -> None:
    alone = [describe(good()[0])]
    roots, known = Issuers(authorities().anchors), Issuers([authorities().intermediate.der])

    assert not build_paths(alone, roots).complete
    assert build_paths(alone, roots, known).complete


def test_a_path_is_never_longer_than_clients_go() -> None:
    link = authorities().root
    made: list[Certificate] = []
    for number in range(LONGEST + 3):
        link = issue(replace(AUTHORITY, common_name=f"CA {number}"), issuer=link)
        made.append(link)
    last = issue(Wanted(), issuer=link)

    found = paths(chain(last, *reversed(made)))

    assert not found.complete
    assert len(found.longest.links) == LONGEST


def test_certificates_that_sign_one_another_end_the_search() -> None:
    ring = [replace(AUTHORITY, common_name=f"Ring {number}") for number in range(6)]
    keys = [elliptic(f"ring {number}") for number in range(6)]
    first = [issue(wanted, key=key) for wanted, key in zip(ring, keys, strict=True)]
    crossed = [
        issue(wanted, issuer=signer, key=key)
        for wanted, key in zip(ring, keys, strict=True)
        for signer in first
        if signer.name != wanted.common_name
    ]
    end = issue(Wanted(), issuer=first[0])

    found = paths(chain(end, *crossed), (first[5].der,))

    assert len(found.complete) <= MOST_PATHS
    assert found.complete


TEXT = b"what is signed"


def signed(scheme: str, digest: str, signature: bytes) -> CertificateFacts:
    return replace(
        describe(leaf().der),
        signing=Signing(scheme, scheme, digest, mask=digest, salt=32),
        signed_part=TEXT,
        signature_value=signature,
    )


def keyed(spki: bytes) -> CertificateFacts:
    return replace(describe(leaf().der), spki=spki, sha256=sha256(spki).digest())


def test_a_genuine_signature_is_good_and_another_key_is_bad() -> None:
    a = authorities()
    child = describe(leaf().der)

    assert check(child, describe(a.intermediate.der)) is Signature.GOOD
    assert check(child, describe(a.other_intermediate.der)) is Signature.BAD
    assert check(child, describe(a.rsa_root.der)) is Signature.BAD


def test_a_weak_but_genuine_signature_is_good() -> None:
    """The library's X.509 layer refuses SHA-1; a policy must be able to say why."""
    child, issuer = map(describe, under_rsa(sha1=True))

    assert child.signature == "RSA with SHA-1"
    assert check(child, issuer) is Signature.GOOD


def test_rsa_pss_and_edwards_are_checked() -> None:
    key = rsa_key("pss")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    rsa_spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    edwards = ed25519.Ed25519PrivateKey.generate()
    raw = edwards.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    by_pss = signed("RSA-PSS", "SHA-256", key.sign(TEXT, pss, hashes.SHA256()))
    by_edwards = signed("Ed25519", "", edwards.sign(TEXT))

    assert check(by_pss, keyed(rsa_spki)) is Signature.GOOD
    assert check(by_edwards, keyed(raw)) is Signature.GOOD
    assert check(by_pss, keyed(raw)) is Signature.BAD


@pytest.mark.parametrize(
    ("scheme", "digest", "spki"),
    [("", "", None), ("RSA", "MD2", "rsa"), ("ECDSA", "SHA-256", b"no key")],
)
def test_what_the_library_cannot_know_is_unchecked(
    scheme: str, digest: str, spki: bytes | str | None
) -> None:
    a = authorities()
    issuer = describe(a.rsa_root.der if spki == "rsa" else a.root.der)
    if isinstance(spki, bytes):
        issuer = keyed(spki)

    assert check(signed(scheme, digest, b"x" * 64), issuer) is Signature.UNCHECKED


def gap(sent: tuple[bytes, ...], known: tuple[bytes, ...] = ()) -> Gap:
    facts = tuple(map(describe, sent))
    anchors = Issuers(authorities().anchors)
    return find_gap(
        facts, build_paths(facts, anchors), anchors, Known(Issuers(known)), private=True
    )


def test_the_missing_issuer_and_where_to_get_it_are_named() -> None:
    found = gap(good(issuer_url="http://ca.test/i.cer")[:1])

    assert found.category is Category.INCOMPLETE_CHAIN
    assert found.detail == (
        "the issuer Test Intermediate was not sent and is not a trust anchor"
        " (available at http://ca.test/i.cer); or another CA of this name issued the leaf"
    )
    assert found.fetchable


@pytest.mark.parametrize("url", ["https://ca.test/i.cer", "ldap://ca.test/"])
def test_only_http_can_be_fetched(url: str) -> None:
    assert not gap(good(issuer_url=url)[:1]).fetchable


def test_a_sent_root_without_the_intermediate_is_an_incomplete_chain() -> None:
    assert gap(chain(leaf(), authorities().root)).category is Category.INCOMPLETE_CHAIN


def test_the_wrong_intermediate_is_pointed_at() -> None:
    found = gap(chain(leaf(), authorities().other_intermediate))

    assert found.category is Category.WRONG_INTERMEDIATE
    assert found.position == 1


def test_a_rogue_chain_points_at_its_root() -> None:
    found = gap(stranger_below(True))

    assert found.category is Category.UNTRUSTED_ROOT
    assert found.position == 2
    assert found.detail == "the root Rogue Root was sent and is not a trust anchor"


def test_a_known_intermediate_proves_that_the_chain_is_incomplete() -> None:
    """Two intermediates, the upper one forgotten: without help it looks like an unknown CA."""
    first, lower, upper = next(one for one in DEFECTS if one.name == "bad-order").make()
    sent = (first, upper)

    assert gap(sent).category is Category.UNTRUSTED_ROOT
    assert gap(sent, (lower,)).category is Category.INCOMPLETE_CHAIN


def test_hostile_names_are_escaped() -> None:
    made = leaf(common_name="evil\n\x1b[31m", issuer_url="http://ca.test/\x07")

    verdict = Judge(private()).judge(chain(made), host="other.test", at=0, policy="any")

    assert all(finding.detail.isprintable() for finding in verdict.findings)


def test_an_unreadable_part_is_a_note_unless_the_policy_rejects_it() -> None:
    sent = (describe(b"x"), describe(authorities().root.der))

    (finding,) = encoding_findings(sent, find_policy("apple"))

    assert finding.category is Category.MALFORMED_CERTIFICATE
    assert finding.position == 0
