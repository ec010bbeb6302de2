import re
from itertools import product

import pytest

from stress.analysis.causes.likely import Signs, catalogue, facts_of_the_verdicts, likely
from stress.model.chain import Finding, Refusal, Verdict
from stress.model.outcome import Category, Kind, Outcome

FACTS = frozenset(
    {
        "all-failed",
        "always-fails-there",
        "at-some-addresses",
        "client-certificate-sent",
        "follows-client",
        "half",
        "issuer-not-sent",
        "leaf-only",
        "load-dependent",
        "load-independent",
        "names-the-host",
        "newer-stores-refuse",
        "no-sni",
        "old-tls",
        "older-stores-refuse",
        "one-address",
        "one-bad-root",
        "private-ca",
        "same-issuer-as-usual",
        "same-issuer-name",
        "same-key-type",
        "same-names",
        "self-signed",
        "several-sent",
        "shares-a-name",
        "small-hello",
        "sni-always-sent",
        "some-families-accept",
        "starttls-port",
        "strict-clients-only",
        "usual-differs",
    }
)
"""All facts that a rule may need or exclude."""
SHAPES = {"constant", "began", "ended", "window", "bursts"}
FAILURES = [
    "alert-40" if one is Category.ALERT else one.value
    for one in Category
    if one.kind in {Kind.TRUST, Kind.WIRE}
]


def test_the_catalogue_uses_the_projects_words() -> None:
    for root in catalogue().values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", root.id)
        assert root.text
        assert set(root.excluded_by) <= FACTS
        for rule in root.when:
            assert rule.categories
            assert set(rule.shapes) <= SHAPES
            assert set(rule.loads) <= {"independent", "dependent"}
            assert set(rule.needs) | set(rule.excluded_by) <= FACTS
        for category in (*root.broad, *(one for rule in root.when for one in rule.categories)):
            odd = category == "alert-*" or category.startswith("different-")
            assert odd or Outcome.parse(category).name == category


def test_every_failure_has_a_likely_cause() -> None:
    shapes, loads = sorted(SHAPES), (None, "dependent", "independent")
    for category, shape, load in product(FAILURES, shapes, loads):
        facts = {"one-address", *([f"load-{load}"] if load else [])}
        found = likely(Signs(category, ["none"], shape, load, facts=facts))

        assert 1 <= len(found) <= 4, (category, shape, load)


@pytest.mark.parametrize("category", FAILURES)
def test_a_failure_of_every_handshake_has_one_too(category: str) -> None:
    assert likely(Signs(category, ["none"], "constant", facts={"all-failed", "one-address"}))


def test_the_most_specific_comes_first() -> None:
    found = likely(
        Signs("hostname-mismatch", ["address"], "constant", subject="TRAEFIK DEFAULT CERT")
    )

    assert found[:2] == ("placeholder-certificate", "default-certificate")


def test_a_missing_intermediate_is_never_blamed_on_a_chain_that_holds_none() -> None:
    alone = likely(Signs("incomplete-chain", ["address"], "constant", facts={"leaf-only"}))
    signed = likely(Signs("incomplete-chain", ["address"], "constant", facts={"self-signed"}))

    assert alone[0] == "intermediate-not-deployed"
    assert "intermediate-not-deployed" not in signed


def test_names_are_not_blamed_where_no_name_was_sent() -> None:
    found = likely(Signs("hostname-mismatch", ["sni"], "constant", facts={"no-sni"}))

    assert found[0] == "no-sni-default"
    assert "default-certificate" not in found


def test_an_expired_leaf_that_began_in_the_run_expired_there() -> None:
    assert likely(Signs("expired-leaf", ["chain"], "began"))[0] == "expires-everywhere"


def test_overload_needs_a_proof_of_load() -> None:
    reset = likely(Signs("reset", ["none"], "constant"))
    connect = likely(Signs("timeout-connect", ["none"], "constant", load="dependent"))

    assert "accept-queue-overflow" not in reset
    assert "accept-queue-overflow" in connect


def test_any_alert_matches_the_wildcard() -> None:
    assert likely(Signs("alert-115", ["resumed"], "constant"))[0] == "ticket-keys-not-shared"


def test_every_root_cause_says_what_to_change_or_that_nothing_needs_to() -> None:
    free = {root.id for root in catalogue().values() if not root.fix}

    assert free == {"rollout-in-progress"}


@pytest.mark.parametrize(
    ("versions", "category", "facts"),
    [
        ("Android ≤ 13", Category.UNTRUSTED_ROOT, {"older-stores-refuse", "names-the-host"}),
        ("Java < 11.0.22", Category.UNTRUSTED_ROOT, {"older-stores-refuse", "names-the-host"}),
        ("Chrome ≥ 131", Category.UNTRUSTED_ROOT, {"newer-stores-refuse", "names-the-host"}),
        ("", Category.UNTRUSTED_ROOT, {"names-the-host"}),
        ("", Category.HOSTNAME_MISMATCH, set()),
        ("Chrome < 153", Category.INCOMPLETE_CHAIN, {"names-the-host"}),
    ],
)
def test_verdicts_say_whether_versions_of_stores_disagree(
    versions: str, category: Category, facts: set[str]
) -> None:
    found = Finding(category, None, "x", Refusal.SOMETIMES, versions)

    assert facts_of_the_verdicts([Verdict(b"", "any", "a.test", 0, (found,))]) == facts


@pytest.mark.parametrize(
    ("fact", "cause"),
    [
        ("older-stores-refuse", "root-not-in-older-stores"),
        ("newer-stores-refuse", "distrusted-root"),
    ],
)
def test_a_root_that_some_versions_lack_is_the_likeliest_cause(fact: str, cause: str) -> None:
    facts = {fact, "leaf-only", "some-families-accept"}

    first, *rest = likely(Signs("untrusted-root", ["chain"], "constant", facts=facts))

    assert first == cause
    assert "intermediate-not-deployed" not in rest


def test_a_certificate_for_the_host_is_no_default_certificate() -> None:
    signs = Signs("untrusted-root", ["chain"], "constant", facts={"names-the-host", "leaf-only"})

    assert "default-certificate" not in likely(signs)
    assert "intermediate-not-deployed" in likely(signs)
