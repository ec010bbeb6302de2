from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stress.analysis.findings import examine
from stress.model.claims import (
    Basis,
    Claim,
    FailureCount,
    LoadClaim,
    Recurrence,
    RootCause,
    RunChange,
    Shape,
    Silence,
    Timing,
    UnexplainedClaim,
)
from stress.model.plan import Address, Client, Plan, Target
from stress.model.run import Cell, Run, SeenChain
from stress.model.summary import Condition
from stress.report.summary import summarize
from stress.report.wording.causes import (
    SAME_EVERYWHERE,
    course_words,
    experiment,
    fix_of,
    likely,
    load_words,
    recurrence_words,
    remedy,
    sentence,
    silence,
    undecided,
)

BEGUN = 1_790_000_000_000_000_000
CLAIM = Claim(
    basis=Basis.CONDITIONS,
    category="reset",
    mechanism=None,
    failures=800,
    grade="strong",
    conditions=(Condition("address", "10.0.3.7:443"),),
    total=FailureCount(800, 16_000),
    inside=FailureCount(800, 4000),
    elsewhere=FailureCount(0, 12_000),
)


def words(located: Callable[..., Run], **changes: Any) -> str:
    return sentence(replace(CLAIM, **changes), examine(located(lambda like: 0)))


def test_a_place_comes_with_here_and_elsewhere(located: Callable[..., Run]) -> None:
    assert words(located) == (
        "All 800 failures are at 10.0.3.7:443: 800 of 4,000 (20%) there, "
        "0 of 12,000 (0%) elsewhere."
    )


def test_a_part_is_named_as_a_part(located: Callable[..., Run]) -> None:
    text = words(located, total=FailureCount(806, 16_000))

    assert text.startswith("800 of the 806 failures are at 10.0.3.7:443: 800 of 4,000")


def test_other_names_rivals_and_the_worst_part_follow(located: Callable[..., Run]) -> None:
    client, version = Condition("client", "chrome"), Condition("tls_version", "TLS 1.2")
    text = words(
        located,
        aliases=((Condition("label", "node-b"),), (client,)),
        rivals=((version,),),
        worst=((version,), FailureCount(700, 1000)),
    )

    assert "these are also exactly the connections with client chrome" in text
    assert "node-b" not in text
    assert "worst with TLS 1.2: 700 of 1,000 (70%)" in text
    assert "nearly as well explained by: with TLS 1.2" in text


def test_an_alias_within_a_place_is_named_there(located: Callable[..., Run]) -> None:
    (address,) = CLAIM.conditions
    client, version = Condition("client", "chrome"), Condition("tls_version", "TLS 1.2")
    text = words(located, conditions=(address, client), aliases=((address, version),))

    assert "there, with client chrome and with TLS 1.2 select the same connections" in text


def test_loads_that_were_not_random_are_doubted(located: Callable[..., Run]) -> None:
    text = words(located, searched=True, backlog=True)

    assert "a search chose these loads, not chance" in text
    assert "count at the rate of the rush" in text


@pytest.mark.parametrize(
    ("timing", "text"),
    [
        (Timing(Shape.BEGAN, 1, BEGUN + 10**10, 3.0), "it began at 14:13:30 ± 3.0 s"),
        (Timing(Shape.ENDED, 1, BEGUN + 10**10, 1.0), "it ended at 14:13:30 ± 1.0 s"),
        (Timing(Shape.BURSTS, 3), "in 3 bursts"),
        (Timing(Shape.WINDOW, 1), "in one stretch of the run only"),
        (Timing(), ""),
    ],
)
def test_a_change_over_time_has_its_moment(timing: Timing, text: str) -> None:
    assert course_words(timing, BEGUN) == text


def test_ports_are_named(located: Callable[..., Run]) -> None:
    ports = {"basis": Basis.PORTS, "conditions": (Condition("local_port", "port mod 8 = 3"),)}

    assert words(located, **ports).startswith(
        "All 800 failures are from local ports with port mod 8 = 3: 800 of 4,000"
    )
    assert "recur with the local port" in words(located, **ports, sticky_ports=True)


@pytest.mark.parametrize(
    ("addresses", "text"),
    [
        ((), "Every handshake failed, so"),
        ((Address("192.0.2.7", 443, "node-7"),), "to node-7 (192.0.2.7:443) failed, so"),
        ((Address("192.0.2.7", 443), Address("192.0.2.8", 443)), "to all 2 addresses failed, so"),
    ],
)
def test_where_everything_fails_is_said(addresses: tuple[Address, ...], text: str) -> None:
    assert text in silence(UnexplainedClaim(5, Silence.ALL_FAILED), addresses)


def test_a_chain_behind_one_address_needs_another_way_in(leaf_alone: Run) -> None:
    (cause,) = summarize(leaf_alone).causes

    assert cause.sentence.startswith(
        "Some connections to 127.0.0.1:443 are answered with a different certificate chain ("
    )
    assert "98 of 20,000); every handshake that received it failed." in cause.sentence
    assert "The address alone does not show which server sends it; the" in cause.sentence
    assert "Lab Intermediate A" in cause.fix


def test_two_valid_chains_need_no_change_where_each_node_has_its_own_leaf(
    pki: Any,
    seen: Callable[..., SeenChain],
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
) -> None:
    many = [seen(n, [pki.leaf, bytes([n])], 10) for n in range(1, 8)]
    first, *_ = summarize(recorded([cell(10, chain=n) for n in range(1, 8)], chains=many)).causes

    assert first.sentence.startswith("Two valid certificate chains: 10 of 70")
    assert first.sentence.endswith("3 more chains differ too.")
    assert first.fix == SAME_EVERYWHERE


def test_recurrence_is_in_turn_or_in_time() -> None:
    assert "a cycle of 8" in recurrence_words(Recurrence(8, 40, 41))
    assert recurrence_words(Recurrence(seconds=30.0)) == "The failures recur about every 30 s"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (UnexplainedClaim(), ""),
        (UnexplainedClaim(1, Silence.TOO_FEW), "1 failure is too few to say"),
        (UnexplainedClaim(5, Silence.ALL_FAILED), "Every handshake failed"),
        (UnexplainedClaim(5, Silence.NOTHING_DIFFERS), "what differs is behind that address"),
        (
            UnexplainedClaim(5, Silence.NOTHING_DIFFERS, alike=("ja3s", "tcp_options")),
            "one TLS version, alike in ServerHello and TCP options)",
        ),
        (UnexplainedClaim(5, Silence.SEVERAL_KINDS), "5 failures of several kinds"),
        (
            UnexplainedClaim(41, Silence.NOT_FOUND, 17_001, 17_001),
            "would have been detected from 5 failures on, one with half of the traffic from 19.",
        ),
        (UnexplainedClaim(9, Silence.RECURS, recurrence=Recurrence(8, 9, 9)), "a cycle of 8"),
    ],
)
def test_silence_has_a_reason(found: UnexplainedClaim, text: str) -> None:
    assert text in silence(found)


def test_a_fix_is_never_for_a_thing_that_is_not_there() -> None:
    roots = likely([RootCause("no-sni-default")])

    assert "SNI mapping" not in fix_of("hostname-mismatch", roots)
    assert fix_of("hostname-mismatch", roots) == roots[0].fix
    assert fix_of("reset", ()) == remedy("reset")


LOAD = LoadClaim(False, 0.02, -0.1, 0.14, 40, 250.0, 1250.0, concentrated=True)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (LOAD, "does not depend on the load (elasticity 0.02, 95% CI -0.10 to 0.14, 40 segments"),
        (LOAD, "a configuration fault there"),
        (replace(LOAD, concentrated=False), "second network"),
        (replace(LOAD, dependent=True), "too small"),
        (replace(LOAD, dependent=True, concentrated=False), "at its capacity"),
        (replace(LOAD, dependent=None), "undecided"),
        (replace(LOAD, dependent=True, elasticity=None, low=8.0), "elasticity over 8.0"),
        (None, ""),
    ],
)
def test_load_and_place_are_read_together(found: LoadClaim | None, text: str) -> None:
    assert text in load_words(found)


def test_where_evidence_does_not_decide_the_experiments_are_named() -> None:
    header = RootCause("proxy-header-expected", options=("--proxy-protocol", "v2"))
    fits = [RootCause("split-clienthello"), header]
    plan = Plan(Target("a.test"), (), (Client("generic"),))

    assert undecided([*fits, RootCause("weak-health-check")], testable=True) == (
        "Undecided: split-clienthello (test: add --client no-mlkem), proxy-header-expected "
        "(test: add --proxy-protocol v2) or weak-health-check. Run the next experiment first."
    )
    assert experiment(fits, plan) == RunChange(clients=("generic", "no-mlkem"))
    assert experiment(fits[1:], plan) == RunChange(extra=("--proxy-protocol", "v2"))
    assert experiment(fits[1:], replace(plan, proxy_protocol="v1")) is None


def test_where_no_run_decides_each_fix_is_told_with_its_cause() -> None:
    fits = [RootCause("mtu-black-hole"), RootCause("weak-health-check")]

    assert undecided(fits, testable=False) == (
        "Undecided; no option of a run tells these apart. mtu-black-hole: Allow ICMP 'fragmentation"
        " needed', or clamp the MSS on that path. weak-health-check: Let the health check complete"
        " a TLS handshake."
    )
