from __future__ import annotations

import pytest

from stress.model.outcome import Category
from stress.trust import Judge, describe
from stress.trust.path import Gap, Issuers, build_paths, find_gap, malformed
from stress.trust.policy import find_policy
from tests.trust.certificates import authorities, chain, leaf
from tests.trust.defects import DEFECTS, good, private, stranger_below


def gap(sent: tuple[bytes, ...], known: tuple[bytes, ...] = ()) -> Gap:
    facts = tuple(map(describe, sent))
    anchors = Issuers(authorities().anchors)
    return find_gap(facts, build_paths(facts, anchors), anchors, Issuers(known), private=True)


def test_the_missing_issuer_and_where_to_get_it_are_named() -> None:
    found = gap(good(issuer_url="http://ca.test/i.cer")[:1])

    assert found.category is Category.INCOMPLETE_CHAIN
    assert found.detail == (
        "the issuer Test Intermediate was not sent and is not a trust anchor"
        " (available at http://ca.test/i.cer)"
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

    (finding,) = malformed(sent, find_policy("apple"))

    assert finding.category is Category.MALFORMED_CERTIFICATE
    assert finding.position == 0
