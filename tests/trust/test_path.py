from __future__ import annotations

from dataclasses import replace

from stress.trust.path import LONGEST, MOST_PATHS, Issuers, Paths, build_paths
from stress.trust.reading.certificate import describe
from tests.trust.certificates import (
    AUTHORITY,
    Certificate,
    Wanted,
    authorities,
    chain,
    elliptic,
    issue,
    leaf,
)
from tests.trust.defects import good, two_intermediates


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


def test_a_wrong_signature_breaks_a_link_and_is_told() -> None:
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
