"""Each family judges by its own store, and says which versions of it refuse a chain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.trust import Anchors, Judge, load_anchors, policy_names
from stress.trust.policy import find_policy
from stress.trust.reading.certificate import describe
from stress.trust.stores import StoredCertificate, Stores, open_stores
from tests.trust.certificates import (
    AT,
    AUTHORITY,
    DAY,
    HOST,
    Certificate,
    Wanted,
    authorities,
    chain,
    issue,
    sct_list,
)

DISTRUSTED = "New Root is distrusted for certificates that were issued after"
EMPTY = Anchors((), "system", private=False)


def stored(start: str) -> StoredCertificate:
    """A certificate of the shipped stores by the start of its SHA-256."""
    return KNOWN[start]


def _known() -> dict[str, StoredCertificate]:
    """Let's Encrypt's certificates, from the names of their issuers on."""
    names = ["ISRG Root X1", "ISRG Root X2", "Root YR", "Root YE", "YR1", "YE1", "E7"]
    found = {}
    for name in names:
        for organization in ("Internet Security Research Group", "ISRG", "Let's Encrypt"):
            folded = ((("C", "us"),), (("O", organization.casefold()),), (("CN", name.casefold()),))
            for one in open_stores().named(folded):
                found[one.facts.sha256.hex()[:8]] = one
    return found


KNOWN = _known()
X1, X2 = stored("96bcec06"), stored("69729b8e")
ENTRUST = "43df5774b03e7fef5fe40d931a7bedf1bb2e6b42738c4e6d3841103d3aa7f339"


@dataclass(frozen=True)
class World:
    """A new root that stands in for one of the world, cross-signed by an old one."""

    judge: Judge
    leaf: Certificate
    intermediate: Certificate
    cross: Certificate
    root: Certificate


def world(folder: Path, stands_for: bytes, **odd: object) -> World:
    old = issue(replace(AUTHORITY, common_name="Old Root"))
    new = issue(replace(AUTHORITY, common_name="New Root"))
    cross = issue(replace(AUTHORITY, common_name="New Root"), issuer=old, key=new.key)
    intermediate = issue(replace(AUTHORITY, common_name="Below New"), issuer=new)
    wanted = replace(Wanted(scts=3), **odd)  # type: ignore[arg-type]  # fields by name
    leaf = issue(wanted, issuer=intermediate)
    roots = {old.der: X1.facts.sha256, new.der: stands_for}
    open_stores().stand_in(roots, folder / "stores.db")
    anchors = Anchors((old.der, new.der), "system", private=False)
    return World(
        Judge(anchors, stores=Stores(folder / "stores.db")), leaf, intermediate, cross, new
    )


def untrusted(judge: Judge, certificates: tuple[bytes, ...], policy: str) -> list[Finding]:
    verdict = judge.judge(certificates, host=HOST, at=AT, policy=policy)
    return [one for one in verdict.findings if one.category is Category.UNTRUSTED_ROOT]


@pytest.mark.parametrize(
    ("policy", "versions", "refusal"),
    [
        ("android", "Android ≤ 13", Refusal.SOMETIMES),
        ("apple", "iOS ≤ 15.3 (macOS 12.2)", Refusal.SOMETIMES),
        ("java", "Java < 11.0.22", Refusal.SOMETIMES),
        ("go", "ca-certificates < 20230311+deb12u1", Refusal.SOMETIMES),
        # Nobody in use has an NSS as old as that, so it is a note.
        ("firefox", "Firefox with NSS < 3.74", Refusal.NO),
        ("apple-ios12", "iOS, every version", Refusal.YES),
    ],
)
def test_without_its_cross_sign_a_new_root_fails_in_older_versions(
    tmp_path: Path, policy: str, versions: str, refusal: Refusal
) -> None:
    """ISRG Root X2 without the certificate by which X1 signed it."""
    made = world(tmp_path, X2.facts.sha256)
    alone, crossed = (
        chain(made.leaf, made.intermediate),
        chain(made.leaf, made.intermediate, made.cross),
    )

    (found,) = untrusted(made.judge, alone, policy)

    assert (found.versions, found.refusal) == (versions, refusal)
    assert found.detail == f"New Root is not in the root store: {versions}"
    assert all(one.refusal is Refusal.NO for one in untrusted(made.judge, crossed, policy))
    assert made.judge.judge(crossed, host=HOST, at=AT, policy="any").headline is None


def test_this_machines_store_is_one_of_the_stores_of_programs_that_use_the_systems(
    tmp_path: Path,
) -> None:
    made = world(tmp_path, X1.facts.sha256)
    old = Judge(EMPTY, stores=made.judge.stores)
    certificates = chain(made.leaf, made.intermediate)

    (found, *_) = untrusted(old, certificates, "openssl")

    assert found.versions == "this machine's store"
    assert found.refusal is Refusal.SOMETIMES
    assert all(one.refusal is Refusal.NO for one in untrusted(old, certificates, "android"))


@pytest.mark.parametrize(
    ("policy", "details"),
    [
        (
            "firefox",
            [f"{DISTRUSTED} 2024-11-30: Firefox with NSS ≥ 3.107"],
        ),
        (
            "java",
            [f"{DISTRUSTED} 2024-11-11: Java ≥ 11.0.25"],
        ),
        ("android", ["New Root was removed from the root store: Android ≥ 17"]),
        ("apple", []),
    ],
)
def test_a_distrusted_root_fails_in_newer_versions_and_says_why(
    tmp_path: Path, policy: str, details: list[str]
) -> None:
    made = world(tmp_path, bytes.fromhex(ENTRUST))

    found = untrusted(made.judge, chain(made.leaf, made.intermediate), policy)

    said = [one.detail for one in found if one.refusal is not Refusal.NO]
    assert [one for one in said if one in details] == details
    assert bool(said) == bool(details)


def test_a_leaf_of_before_the_day_is_not_refused_by_the_rule(tmp_path: Path) -> None:
    starts = -(AT - 1_730_000_000)  # 2024-10-27
    made = world(tmp_path, bytes.fromhex(ENTRUST), starts=starts, ends=DAY)

    found = untrusted(made.judge, chain(made.leaf, made.intermediate), "java")

    assert found == []


@pytest.mark.parametrize(("first", "refused"), [(1_730_000_000, False), (1_740_000_000, True)])
def test_chrome_looks_at_timestamps_in_the_handshake_too(
    tmp_path: Path, first: int, refused: bool
) -> None:
    made = world(tmp_path, bytes.fromhex(ENTRUST), scts=0)
    times = sct_list(2, first * 1000)

    verdict = made.judge.judge(
        chain(made.leaf, made.intermediate), host=HOST, at=AT, policy="chrome", scts=times
    )

    assert any("got all their SCTs after 2024-11-11" in one.detail for one in verdict.findings) == (
        refused
    )


def test_the_users_anchors_replace_every_store(tmp_path: Path) -> None:
    made = world(tmp_path, X2.facts.sha256)
    private = Judge(Anchors((made.root.der,), "ca.pem", private=True), stores=made.judge.stores)
    public = Judge(
        Anchors((authorities().root.der,), "ca.pem", private=True), stores=made.judge.stores
    )
    certificates = chain(made.leaf, made.intermediate)

    assert untrusted(private, certificates, "any") == []
    refused = public.judge(certificates, host=HOST, at=AT, policy="any")
    assert refused.headline is not None
    assert refused.headline.versions == ""
    assert set(refused.families) == set(find_policy("any").families)


def test_a_root_that_this_machines_owner_added_counts_for_every_family() -> None:
    a = authorities()
    judge = Judge(Anchors((a.root.der,), "system", private=False))
    certificates = chain(issue(Wanted(), issuer=a.intermediate), a.intermediate)

    assert judge.judge(certificates, host=HOST, at=AT, policy="any").headline is None


def test_a_chain_without_its_second_certificate_fails_where_no_client_repairs_it() -> None:
    """Let's Encrypt's generation Y: Root YR and Root YE are in no store at all."""
    judge = Judge(load_anchors(None))
    for below, missing in (("13949634", ["072639d0"]), ("a2372d06", ["0fc0901c"])):
        sent = (stored(below).facts.der,)
        refused = {
            name: judge.judge(sent, host="", at=AT, policy=name).headline
            for name in policy_names()
            if name not in {"none", "any"}
        }

        headlines = [one for one in refused.values() if one is not None]
        assert {one.category for one in headlines} == {Category.INCOMPLETE_CHAIN}
        assert len(headlines) == len(refused)
        assert {
            name for name, one in refused.items() if one and one.refusal is Refusal.SOMETIMES
        } == {
            name
            for name in refused
            if find_policy(name).aia != "never" or find_policy(name).memory != "none"
        }
        assert [one.sha256.hex()[:8] for one in judge.missing(sent, AT)] == missing
        completed = (*sent, *(one.der for one in judge.missing(sent, AT)))
        assert judge.missing(completed, AT) == ()


def test_of_several_completions_the_one_that_most_versions_accept_is_named(tmp_path: Path) -> None:
    made = world(tmp_path, X2.facts.sha256)
    made.judge.meet(chain(made.intermediate, made.cross))

    (missing,) = made.judge.missing(chain(made.leaf), AT)

    # The cross-sign is for those who lack the root; what is missing for everyone is below it.
    assert missing == describe(made.intermediate.der)


def test_a_revoked_cross_sign_is_named_with_the_one_to_send_instead() -> None:
    judge = Judge(load_anchors(None))
    sent = (stored("13949634").facts.der, stored("270c64b6").facts.der)

    for policy in ("any", "go"):
        verdict = judge.judge(sent, host="", at=AT, policy=policy)
        (found,) = (one for one in verdict.findings if one.category is Category.REVOKED)
        assert found.position == 1
        assert found.refusal is Refusal.NO
        assert "revoked" in found.detail
        assert "072639d0" in found.detail


def test_an_intermediate_that_chrome_has_as_an_anchor_needs_no_sending(tmp_path: Path) -> None:
    """E7 is one: a leaf alone is good in Chrome 153, and incomplete in older ones."""
    e7 = next(one for one in KNOWN.values() if one.spans.get("chrome") and not one.root)
    stand_in = issue(replace(AUTHORITY, common_name="Anchored"))
    root = issue(replace(AUTHORITY, common_name="Its Root"))
    anchored = issue(replace(AUTHORITY, common_name="Anchored"), issuer=root, key=stand_in.key)
    open_stores().stand_in(
        {root.der: X2.facts.sha256, anchored.der: e7.facts.sha256}, tmp_path / "stores.db"
    )
    judge = Judge(EMPTY, stores=Stores(tmp_path / "stores.db"))
    alone = chain(issue(Wanted(scts=3), issuer=anchored))

    chrome = judge.judge(alone, host=HOST, at=AT, policy="chrome").headline
    android = judge.judge(alone, host=HOST, at=AT, policy="android").headline

    assert chrome is not None
    assert (chrome.category, chrome.refusal) == (Category.INCOMPLETE_CHAIN, Refusal.SOMETIMES)
    assert chrome.versions == "Chrome < 153"
    assert android is not None
    assert (android.category, android.versions) == (Category.INCOMPLETE_CHAIN, "")


@pytest.mark.parametrize("name", sorted(set(policy_names()) - {"any", "none"}))
def test_the_versions_that_policies_name_are_in_the_stores(name: str) -> None:
    for use in find_policy(name).stores:
        shown = [one.split(" ")[0] for one in open_stores().versions[use.family]]
        assert {use.oldest, use.newest} - {""} <= set(shown)
