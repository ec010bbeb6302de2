"""The path that OpenSSL takes, that Java takes as it was sent, GnuTLS lines up, Go tries last."""

from __future__ import annotations

from dataclasses import replace

from stress.model.outcome import Category
from stress.trust import describe
from stress.trust.path import Issuers, Path
from stress.trust.selection import (
    in_order,
    invalid,
    last_tried,
    lined_up,
    select,
    selection_gap,
    unlinked,
)
from tests.oracles.making import Spec, authority, basic, key, server
from tests.trust.certificates import (
    AT,
    AUTHORITY,
    DAY,
    Certificate,
    Wanted,
    authorities,
    elliptic,
    issue,
    leaf,
    with_extension_twice,
)

SCHEMES = ("ECDSA",)


def selected(
    *sent: Certificate, anchors: tuple[Certificate, ...] = (), partial: bool = False
) -> tuple[Path, bool]:
    """The path under these anchors; without any, under the test roots."""
    roots = [one.der for one in anchors] or authorities().anchors
    facts = [describe(one.der) for one in sent]
    return select(facts, Issuers(roots), AT, partial_chain=partial, schemes=SCHEMES)


def names(path: Path) -> list[str]:
    return [link.facts.common_name or "" for link in path.links]


def test_a_good_chain_ends_in_its_root() -> None:
    path, anchored = selected(leaf(), authorities().intermediate)

    assert anchored
    assert names(path) == ["good.test", "Test Intermediate", "Test Root"]
    assert [link.position for link in path.links] == [0, 1, None]


def test_the_first_issuer_is_taken_though_another_would_lead_to_a_root() -> None:
    a = authorities()
    stray = issue(
        replace(AUTHORITY, common_name="Test Intermediate"),
        issuer=a.rogue_root,
        key=a.intermediate.key,
    )
    path, anchored = selected(leaf(), stray, a.intermediate)
    gap = selection_gap(path, [describe(one.der) for one in (leaf(), stray)], found=True)

    assert not anchored
    assert path.top.position == 1
    assert gap is not None
    assert (gap.category, gap.position) == (Category.UNTRUSTED_ROOT, 1)
    assert selected(leaf(), a.intermediate, stray)[1]


def test_an_issuer_that_is_valid_now_comes_first() -> None:
    a = authorities()
    old = issue(
        replace(AUTHORITY, common_name="Test Intermediate", ends=-DAY),
        issuer=a.root,
        key=a.intermediate.key,
    )
    path, anchored = selected(leaf(), old, a.intermediate)

    assert anchored
    assert path.links[1].position == 2


def test_an_anchor_that_is_no_root_ends_a_path_only_where_the_policy_says_so() -> None:
    a = authorities()

    assert not selected(leaf(), anchors=(a.intermediate,))[1]
    path, anchored = selected(leaf(), anchors=(a.intermediate,), partial=True)
    assert anchored
    assert names(path) == ["good.test", "Test Intermediate"]


def test_a_certificate_with_an_extension_twice_has_no_issuer() -> None:
    twice = describe(with_extension_twice(leaf().der, elliptic("Test Intermediate")))
    sent = [twice, describe(authorities().intermediate.der)]
    path, anchored = select(
        sent, Issuers(authorities().anchors), AT, partial_chain=False, schemes=SCHEMES
    )
    gap = selection_gap(path, sent, found=True)

    assert invalid(twice)
    assert not anchored
    assert gap is not None
    assert gap.category is Category.MALFORMED_CERTIFICATE
    assert not invalid(describe(leaf().der))


def test_a_chain_in_order_is_taken_as_it_is() -> None:
    a = authorities()
    anchors = Issuers(a.anchors)
    lower = issue(replace(AUTHORITY, common_name="Lower"), issuer=a.intermediate)
    made = issue(Wanted(), issuer=lower)
    ordered, mixed = (
        in_order([describe(one.der) for one in sent], anchors)
        for sent in ((made, lower, a.intermediate), (made, a.intermediate, lower))
    )
    assert ordered is not None
    assert names(ordered[0]) == ["good.test", "Lower", "Test Intermediate", "Test Root"]
    assert mixed is None
    assert in_order([describe(issue(Wanted()).der)], anchors) is None


ROOT, OLD = authority("Root", key("p256", 1)), authority("Old Root", key("p256", 2))
CA, LEAF = authority("CA", key("p256", 3)), server("good.test", key("p256", 4))


def issued(*pairs: tuple[Spec, Spec]) -> list[bytes]:
    """Certificates by these issuers: (subject, issuer) each."""
    return [subject.issue(issuer) for subject, issuer in pairs]


def test_gnutls_lines_up_what_was_sent_in_any_order() -> None:
    sent = issued((LEAF, CA), (OLD, OLD), (ROOT, ROOT), (CA, ROOT))
    anchors = Issuers(issued((ROOT, ROOT)))

    [(path, anchored)] = lined_up([describe(der) for der in sent], anchors, AT)

    assert anchored
    assert [link.position for link in path.links] == [0, 3, None]


def test_gnutls_takes_the_first_issuer_that_was_sent_and_no_other() -> None:
    sent = issued((LEAF, CA), (CA, OLD), (CA, ROOT))
    [(path, _)] = lined_up([describe(der) for der in sent], Issuers(issued((ROOT, ROOT))), AT)

    assert [link.position for link in path.links] == [0, 1, 2, None]
    [gap] = unlinked(path)
    assert (gap.position, gap.detail) == (2, "CA was sent, CA is from Old Root")


def test_gnutls_looks_for_the_issuer_of_the_last_certificate_before_the_last_itself() -> None:
    sent = [describe(der) for der in issued((LEAF, CA), (CA, ROOT))]
    root, own = issued((ROOT, ROOT), (CA, ROOT))

    both = lined_up(sent, Issuers([own, root]), AT)
    alone = lined_up(sent, Issuers([own]), AT)

    assert [[link.facts.subject for link in path.links] for path, _ in both] == [
        ["CN=good.test", "CN=CA", "CN=Root"]
    ]
    [(path, anchored)] = alone
    assert anchored
    assert [link.position for link in path.links] == [0, None]


def test_a_self_signed_leaf_is_an_anchor_of_gnutls_only_as_that_certificate() -> None:
    own, other = issued((LEAF, LEAF)), issued((CA, CA))

    assert lined_up([describe(own[0])], Issuers(own), AT)[0][1]
    assert not lined_up([describe(own[0])], Issuers(other), AT)[0][1]


def test_go_comes_last_to_the_last_issuer_that_was_sent() -> None:
    sent = issued((LEAF, CA), (CA, ROOT), (CA, OLD))
    path, anchored = last_tried([describe(der) for der in sent], Issuers(issued((ROOT, ROOT))))

    assert not anchored
    assert [link.position for link in path.links] == [0, 2]


def test_go_does_not_try_an_issuer_that_may_not_sign() -> None:
    no_ca = authority("CA", key("p256", 3))
    no_ca.change("basic", basic(ca=False))
    sent = issued((LEAF, CA), (CA, ROOT), (no_ca, OLD))
    path, anchored = last_tried([describe(der) for der in sent], Issuers(issued((ROOT, ROOT))))

    assert anchored
    assert [link.position for link in path.links] == [0, 1, None]
