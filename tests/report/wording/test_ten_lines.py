import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from stress.analysis.findings import examine
from stress.model.chain import Finding, Verdict
from stress.model.claims import FailureCount
from stress.model.outcome import Category, Stage
from stress.model.plan import Address, Client, Load, Plan
from stress.model.run import Cell, End, Run, SeenChain
from stress.model.summary import Answer, Headlines
from stress.report.summary import summarize
from stress.report.wording.ten_lines import commands, met_by


def lines(run: Run) -> Headlines:
    return summarize(run).lines


def test_a_failing_run_fills_every_line(leaf_alone: Run) -> None:
    said = lines(leaf_alone)

    assert said.verdict.endswith("same leaf; intermediate Lab Intermediate A missing.")
    assert said.where.startswith("Some connections to 127.0.0.1:443 are answered with a different ")
    assert "Certificate lab.test, serial" in said.what
    assert "leaf only" in said.what
    assert "Fails for" in said.who
    assert "CN=Lab Intermediate A" in said.fix
    assert "tls-stress evidence lab" in said.prove
    assert "0.015%" in said.seen
    assert said.valid.startswith("Valid")


@pytest.mark.parametrize(
    ("category", "detail", "told"),
    [
        (
            Category.NOT_YET_VALID,
            "not valid before 2026-12-01T00:00:00Z, 10 h later",
            "it is not valid before 2026-12-01T00:00:00Z, 10 h after this test",
        ),
        (
            Category.EXPIRED_LEAF,
            "expired 2026-11-01T00:00:00Z, 29 d before",
            "it expired 2026-11-01T00:00:00Z, 29 d ago",
        ),
    ],
)
def test_a_date_is_told_from_the_time_of_the_test(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    leaf_and_more: tuple[SeenChain, SeenChain],
    category: Category,
    detail: str,
    told: str,
) -> None:
    odd, _ = leaf_and_more
    found = (Finding(category, 0, detail),)
    run = recorded(
        [cell(90), cell(10, outcome=category.value, chain=2)],
        chains=leaf_and_more,
        verdicts=[Verdict(odd.sha256, "any", "lab.test", 1_790_000_000, found)],
    )

    assert told in lines(run).verdict


def test_proof_and_fix_are_commands_to_copy(leaf_alone: Run) -> None:
    said = lines(leaf_alone).prove

    assert "tls-stress evidence lab --out proof" in said
    assert "tls-stress replay lab;" in said
    assert re.search(r": tls-stress run lab\.test:443 .* --name fixed; ", said)
    assert said.endswith("Then compare: tls-stress compare lab fixed")


@pytest.mark.parametrize("made_now", [True, False])
def test_each_command_to_copy_names_the_root_stores_of_the_run(
    made_now: bool, leaf_alone: Run
) -> None:
    """A run and a report of its file later print the same line."""
    findings = examine(leaf_alone)
    facts = findings.facts
    trust = replace(facts.plan.trust, stores="/tmp/stores.db", private=False)
    facts = replace(facts, plan=replace(facts.plan, trust=trust), made_now=made_now)

    told = {one.argv[1]: one.argv for one in commands(replace(findings, facts=facts))}

    for verb in ("replay", "run"):
        at = told[verb].index("--stores")
        assert told[verb][at + 1] == "/tmp/stores.db"
    assert "--stores" not in told["evidence"]


def test_of_many_causes_the_line_of_places_tells_the_first(
    recorded: Callable[..., Run], cell: Callable[..., Cell], plan: Plan
) -> None:
    """Each of six addresses fails in a way of its own."""
    farm = tuple(Address(f"10.0.0.{number}", 443) for number in range(1, 7))
    ways = ("reset", "eof", "alert-40", "alert-80", "alert-112", "not-tls")
    odd = {"chain": None, "stage": Stage.CLIENT_HELLO}
    run = recorded(
        [cell(5, block=block, address=at) for block in range(20) for at in range(6)]
        + [
            cell(5, block=block, address=at, outcome=way, **odd)
            for block in range(20)
            for at, way in enumerate(ways)
        ],
        addresses=farm,
        plan=replace(plan, addresses=farm),
    )
    said = lines(run).where

    assert len(re.findall(r"10\.0\.0\.\d", said)) == 2
    assert "4 more causes: see Causes." in said


def test_several_kinds_are_listed(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    leaf_and_more: tuple[SeenChain, SeenChain],
) -> None:
    run = recorded(
        [
            cell(900),
            cell(60, outcome="incomplete-chain", chain=2),
            cell(22, outcome="reset", chain=None, stage=Stage.CLIENT_HELLO),
            cell(1, outcome="eof", chain=None, stage=Stage.CLIENT_HELLO),
            cell(1, outcome="refused", chain=None, stage=Stage.CONNECT),
        ],
        chains=leaf_and_more,
    )
    said = lines(run)

    assert "84 of 984 handshakes" in said.verdict
    assert "failed: 60 received an incomplete chain (same leaf;" in said.verdict
    assert "22 were reset; 1 were closed during the handshake; 1 more kind" in said.verdict
    assert said.who.startswith("incomplete-chain: ")


def test_a_wire_failure_names_the_stage_instead_of_a_certificate(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    run = recorded([cell(90), cell(9, outcome="reset", chain=None, stage=Stage.CLIENT_HELLO)])

    assert "the failing connections reached client-hello (9)" in lines(run).what


def test_few_that_came_as_far_as_a_certificate_do_not_make_it_the_matter(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    leaf_and_more: tuple[SeenChain, SeenChain],
) -> None:
    run = recorded(
        [
            cell(900),
            cell(3, outcome="eof", chain=1, stage=Stage.FINISHED),
            cell(92, outcome="eof", chain=None, stage=Stage.CLIENT_HELLO),
        ],
        chains=leaf_and_more,
    )

    said = lines(run).what

    assert said.startswith("No certificate is involved")
    assert "client-hello (92)" in said
    assert "finished (3)" in said


def test_a_clean_run_names_the_certificates(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    leaf_and_more: tuple[SeenChain, SeenChain],
) -> None:
    one = lines(recorded([cell(90)], chains=leaf_and_more[1:]))
    two = lines(recorded([cell(90), cell(10, chain=2)], chains=leaf_and_more))

    assert one.what.startswith("The same chain on all connections. Certificate lab.test")
    assert two.what.startswith("2 distinct chains, all good.")
    assert one.fix == "Nothing to fix."
    assert one.where == "No handshake failed."
    assert lines(recorded([cell(5)])).what == "No certificate was seen."


def test_an_unreadable_certificate_is_said_to_be_one(
    recorded: Callable[..., Run], cell: Callable[..., Cell], seen: Callable[..., SeenChain]
) -> None:
    run = recorded(
        [cell(90), cell(5, outcome="malformed-certificate", chain=2)],
        chains=[seen(2, [b"\x1b[31mboo"], 5)],
    )

    assert lines(run).what.startswith("A certificate that cannot be read")
    assert "\x1b" not in lines(run).what


def test_episodes_lead(recorded: Callable[..., Run], cell: Callable[..., Cell]) -> None:
    cells = [cell(100, block=block) for block in range(60)]
    bad = [cell(60, block=b, outcome="reset", stage=Stage.CLIENT_HELLO) for b in (10, 40)]

    assert "in 2 episodes (longest 1.0 s)" in lines(recorded([*cells, *bad])).verdict
    assert "all in one episode" in lines(recorded([*cells, bad[0]])).verdict


@pytest.mark.parametrize(
    ("bursts", "words"),
    [
        ([30], "Failures came together only once, which is too few for a tight interval."),
        ([30, 45], "Failures came together only twice, which is too few for a tight interval."),
        ([15, 30, 45], ""),
        ([], ""),
    ],
)
def test_too_few_bursts_for_a_tight_interval_are_named(
    bursts: list[int], words: str, recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    quiet = [cell(100, block=block) for block in range(60)]
    summary = summarize(
        recorded([*quiet, *(cell(80, block=block, outcome="reset") for block in bursts)])
    )

    assert summary.failures.too_few == (len(bursts) if words else None)
    assert ("too few" in summary.headline) == bool(words)
    assert words in summary.headline


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (Load(5_000), "about 4,000 handshakes of its plan are left"),
        (Load(None, 90.0), "about 500 handshakes of its plan are left"),
    ],
)
def test_a_run_that_did_not_finish_says_what_is_left(
    load: Load, words: str, recorded: Callable[..., Run], cell: Callable[..., Cell], plan: Plan
) -> None:
    """Of 1,000 handshakes in a minute."""
    cells = [cell(500), cell(500, block=59)]
    open_run = recorded(
        cells, end=End.UNFINISHED, ended_ns=None, plan=replace(plan, load=load), name="lab"
    )
    summary = summarize(open_run)

    assert summary.verdict is Answer.INCONCLUSIVE
    assert words in summary.headline
    assert "tls-stress run --continue lab" in summary.headline


def test_an_invalid_run_says_why(recorded: Callable[..., Run], cell: Callable[..., Cell]) -> None:
    said = lines(recorded([cell(9, outcome="local-ports")]))

    assert said.verdict == (
        "No answer: 9 of 9 attempts failed on this machine (local-ports 9), none at the target."
    )
    assert said.valid.startswith("Not valid: ")


def test_text_from_the_network_is_printable(
    recorded: Callable[..., Run], cell: Callable[..., Cell], located: Callable[..., Run]
) -> None:
    hostile = "\x1b[2J\u202eevil"
    cells = [
        one._replace(alpn=hostile if one.client else "h2")
        for one in located(lambda like: 5 if like.client else 0).cube().cells
    ]
    summary = summarize(recorded(cells))

    assert "\x1b" not in str(summary.causes)
    assert "\u202e" not in summary.lines.where


def test_a_run_that_we_held_back_blames_us_first(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    run = recorded(
        [cell(90), cell(10, outcome="reset", chain=None, stage=Stage.CLIENT_HELLO)],
        reasons=("generator limited: 900 of 1,000 starts were due and not sent",),
        invalid=True,
    )

    assert lines(run).verdict.startswith("No verdict: generator limited: 900 of 1,000 starts")


@pytest.mark.parametrize(("stage", "hinted"), [(Stage.STARTTLS, True), (Stage.CLIENT_HELLO, False)])
def test_a_port_that_is_silent_before_tls_may_speak_it_first(
    stage: Stage, hinted: bool, cell: Callable[..., Cell], recorded: Callable[..., Run]
) -> None:
    run = recorded([cell(50, chain=None, stage=stage, outcome="timeout-handshake")])

    summary = summarize(run)

    assert ("try --starttls none." in summary.lines.what) is hinted
    likely = {one.id for one in summary.unexplained.likely}
    assert "mtu-black-hole" not in likely or not hinted


def test_what_was_measured_comes_first_and_the_worst_client_leads() -> None:
    clients = [Client(name) for name in ("go", "ios-26", "chrome", "generic")]
    counts = {0: FailureCount(0, 300), 1: FailureCount(79, 330), 2: FailureCount(9, 90)}
    counts[3] = FailureCount(0, 280)

    assert met_by(clients, counts) == (
        "Measured: 79 of 330 (23.9%) as ios-26, 9 of 90 (10%) as chrome, 0 of 580 (0%) as others."
    )
    assert met_by(clients[:1], {0: FailureCount(5, 9)}) == ""
