import re
from collections.abc import Iterable
from itertools import product

import pytest

from stress.analysis.causes.likely import Signs, catalogue, likely
from stress.analysis.causes.signs import facts_of_the_verdicts
from stress.model.chain import Finding, Refusal, Verdict
from stress.model.claims import RootCause
from stress.model.outcome import Category, Kind, Outcome

FACTS = frozenset(
    [
        "a-rate-passes",
        "acme-extension",
        "address-target",
        "all-failed",
        "answered-differently",
        "always-fails-there",
        "at-some-addresses",
        "clear-greeting",
        "client-certificate-sent",
        "connections-held",
        "first-bytes",
        "first-ones-passed",
        "follows-client",
        "half",
        "http-answer",
        "in-turn",
        "issuer-not-sent",
        "large-hello",
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
        "other-protocol",
        "private-ca",
        "proxy-header-sent",
        "same-issuer-as-usual",
        "same-key-type",
        "same-name-other-key",
        "same-names",
        "self-signed",
        "several-bad-roots",
        "several-sent",
        "several-good-chains",
        "shares-a-name",
        "small-hello",
        "sni-always-sent",
        "some-families-accept",
        "server-said",
        "before-tls",
        "staple-of-another",
        "staple-out-of-date",
        "through-proxy",
        "starttls-port",
        "starttls-spoken",
        "steady-load",
        "strict-clients-only",
        "usual-differs",
    ]
)
"""All facts that a rule may need or exclude."""
SHAPES = {"constant", "began", "ended", "window", "bursts"}
FAILURES = [
    "alert-40" if one is Category.ALERT else one.value
    for one in Category
    if one.kind in {Kind.TRUST, Kind.WIRE}
]


def ids(found: Iterable[RootCause]) -> list[str]:
    return [one.id for one in found]


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
            odd = category in {"alert-*", "slow", "stalls", "ceiling"} or category.startswith(
                "different-"
            )
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

    assert ids(found)[:2] == ["placeholder-certificate", "default-certificate"]


def test_a_missing_intermediate_is_never_blamed_on_a_chain_that_holds_none() -> None:
    alone = likely(Signs("incomplete-chain", ["address"], "constant", facts={"leaf-only"}))
    signed = likely(Signs("incomplete-chain", ["address"], "constant", facts={"self-signed"}))

    assert alone[0].id == "intermediate-not-deployed"
    assert "intermediate-not-deployed" not in ids(signed)


def test_names_are_not_blamed_where_no_name_was_sent() -> None:
    found = likely(Signs("hostname-mismatch", ["sni"], "constant", facts={"no-sni"}))

    assert found[0].id == "no-sni-default"
    assert "default-certificate" not in ids(found)


def test_an_expired_leaf_that_began_in_the_run_expired_there() -> None:
    assert likely(Signs("expired-leaf", ["chain"], "began"))[0].id == "expires-everywhere"


def test_overload_needs_a_proof_of_load() -> None:
    reset = likely(Signs("reset", ["none"], "constant"))
    connect = likely(Signs("timeout-connect", ["none"], "constant", load="dependent"))

    assert "accept-queue-overflow" not in ids(reset)
    assert "accept-queue-overflow" in ids(connect)


def test_any_alert_matches_the_wildcard() -> None:
    assert likely(Signs("alert-115", ["resumed"], "constant"))[0].id == "ticket-keys-not-shared"


def test_every_root_cause_says_what_to_change_or_that_nothing_needs_to() -> None:
    free = {root.id for root in catalogue().values() if not root.fix}

    assert free == {"rollout-in-progress"}


def first(category: str, shape: str = "constant", *facts: str, stage: str = "client-hello") -> str:
    return likely(Signs(category, ["none"], shape, stages=[stage], facts=facts))[0].id


def test_evidence_orders_what_ends_a_connection_without_a_word() -> None:
    assert first("eof", "constant", "large-hello") == "split-clienthello"
    assert first("eof", "constant", "small-hello") == "proxy-header-expected"
    assert first("reset", "constant", "small-hello", "proxy-header-sent") == "proxy-header-expected"
    assert first("reset", "constant", "a-rate-passes") == "rate-limiter"
    assert first("reset", "constant", "first-ones-passed", "steady-load") == "rate-limiter"
    assert first("eof", "bursts", "steady-load") == "connection-limit"
    assert first("eof", "window", "steady-load") == "draining"
    assert first("eof", "began", "steady-load") == "node-down"
    assert first("timeout-connect", "bursts", "connections-held") == "connection-limit"
    assert first("timeout-handshake", "window", "connections-held") == "connection-limit"
    assert first("timeout-connect", "bursts") != "connection-limit"
    assert first("eof", "constant", "connections-held", "small-hello") in {
        "connection-limit",
        "balancer-ports-exhausted",
    }


def test_what_the_target_chose_for_one_client_may_mark_a_slow_node() -> None:
    def slow(*facts: str) -> list[str]:
        return ids(likely(Signs("slow", ["tls_version"], "constant", facts=set(facts))))

    assert slow("answered-differently") == ["slow-node", "costlier-handshake"]
    assert slow() == ["costlier-handshake"]


def test_what_refuses_at_one_address_is_no_health_check_that_only_tests_tcp() -> None:
    found = ids(likely(Signs("refused", ["address"], "constant", stages=["connect"])))

    assert found == ["stale-address", "node-down"]


def test_what_accepts_and_closes_everything_runs_unless_it_is_one_of_several_nodes() -> None:
    def named(locus: str) -> bool:
        facts = {"always-fails-there"}
        return "node-down" in ids(likely(Signs("reset", [locus], "began", facts=facts)))

    assert named("address")
    assert not named("time")


def test_an_answer_in_http_may_also_be_to_a_proxy_header_of_the_balancer() -> None:
    def named(*facts: str) -> list[str]:
        signs = Signs("not-tls", ["none"], "constant", stages=["client-hello"], facts=facts)
        return ids(likely(signs))

    assert named("http-answer") == ["plaintext-listener", "proxy-header-expected"]
    assert named("http-answer", "all-failed") == ["plaintext-listener"]


@pytest.mark.parametrize("category", ["refused", "eof", "reset"])
def test_what_never_let_anybody_in_is_not_being_drained(category: str) -> None:
    signs = Signs(category, ["none"], "constant", stages=["connect"], facts={"all-failed"})

    assert "draining" not in ids(likely(signs))


def test_no_certificate_is_lost_on_the_way_before_tls_has_begun() -> None:
    def named(*facts: str) -> list[str]:
        signs = Signs("timeout-handshake", ["none"], "constant", "independent", facts=facts)
        return ids(likely(signs))

    assert "mtu-black-hole" in named()
    assert "mtu-black-hole" not in named("before-tls")


def test_bursts_at_a_steady_load_may_also_be_the_windows_of_a_limiter() -> None:
    found = likely(Signs("reset", ["none"], "bursts", facts={"steady-load"}))

    assert [fit.id for fit in found] == ["connection-limit", "draining", "rate-limiter"]


def test_a_limiter_is_not_blamed_on_health_checks_and_deploys() -> None:
    found = likely(
        Signs("refused", ["none"], "began", stages=["connect"], facts={"first-ones-passed"})
    )

    assert not {"weak-health-check", "node-down", "draining"} & {fit.id for fit in found}


def test_a_constant_share_alone_is_no_evidence_for_a_limiter() -> None:
    found = likely(
        Signs("eof", ["none"], "constant", stages=["client-hello"], facts={"large-hello"})
    )

    assert "rate-limiter" not in ids(found)


def test_first_bytes_decide_between_protocols() -> None:
    mail = Signs("not-tls", ["none"], "constant", facts={"clear-greeting", "first-bytes"})
    web = Signs(
        "not-tls",
        ["address"],
        "constant",
        facts={"http-answer", "first-bytes"},
        values={"http-answer": '"HTTP/1.1 400"'},
    )

    assert ids(likely(mail)) == ["starttls-expected"]
    assert ids(likely(web)) == ["plaintext-listener"]
    assert likely(web)[0].evidence == ('it answers "HTTP/1.1 400"',)


def test_an_alert_names_itself_as_evidence() -> None:
    found = likely(Signs("alert-112", ["backend"], "constant", stages=["client-hello"]))

    assert found[0].id == "no-certificate-for-name"
    assert found[0].evidence == ("alert 112, unrecognized_name",)


def test_a_name_that_was_never_certified_is_no_default_site() -> None:
    facts = {"all-failed", "one-address", "address-target", "no-sni"}
    found = ids(likely(Signs("hostname-mismatch", ["chain"], "constant", facts=facts)))

    assert found == ["name-not-in-certificate"]


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

    found = ids(likely(Signs("untrusted-root", ["chain"], "constant", facts=facts)))

    assert found[0] == cause
    assert "intermediate-not-deployed" not in found


def test_a_certificate_for_the_host_is_no_default_certificate() -> None:
    signs = Signs("untrusted-root", ["chain"], "constant", facts={"names-the-host", "leaf-only"})

    assert "default-certificate" not in ids(likely(signs))
    assert "intermediate-not-deployed" in ids(likely(signs))


@pytest.mark.parametrize(
    ("category", "locus", "first"),
    [
        ("ceiling", "none", "rate-limiter"),
        ("slow", "address", "slow-node"),
        ("slow", "client", "costlier-handshake"),
        ("slow", "resumed", "slow-session-lookup"),
        ("slow", "time", "cpu-saturation"),
        ("stalls", "none", "blocked-event-loop"),
    ],
)
def test_whatever_is_slower_has_a_likely_cause(category: str, locus: str, first: str) -> None:
    assert likely(Signs(category, [locus], "constant"))[0].id == first


@pytest.mark.parametrize(
    ("fact", "causes"),
    [
        ("staple-out-of-date", ["staple-expired"]),
        ("staple-of-another", ["staple-of-previous-certificate"]),
        ("", ["staple-expired", "staple-of-previous-certificate"]),
    ],
)
def test_a_bad_staple_is_out_of_date_or_of_another_certificate(
    fact: str, causes: list[str]
) -> None:
    facts = {fact} if fact else set()
    signs = Signs("bad-staple", ["none"], "constant", facts=facts, values={fact: "2026-11-01"})

    assert sorted(one.id for one in likely(signs)) == causes
