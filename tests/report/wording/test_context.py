from collections.abc import Callable
from dataclasses import replace

from stress.analysis.findings import Findings, examine
from stress.model.claims import Notice, NoticeKind, ValidityClaim
from stress.model.plan import Address, Client, Load, Stack
from stress.model.run import End, Run, RunFacts
from stress.model.summary import Assertion, Validity
from stress.report.wording.context import goal_words, origin, scope, valid, validity


def found(recorded: Callable[..., Run], facts: RunFacts) -> Findings:
    return replace(examine(recorded([])), facts=facts)


def test_what_was_tested_is_one_line(recorded: Callable[..., Run], facts: RunFacts) -> None:
    text = scope(found(recorded, facts))

    assert text.startswith(
        "lab.test:443 with client generic over address 127.0.0.1:443, SNI lab.test, "
        "trust store ca.pem (1 anchor), policy any. Not tested: other networks, IPv6 addresses"
    )
    assert text.endswith("resumed sessions, other names, times outside these 20 s.")


def test_many_addresses_are_counted_and_no_sni_is_named(
    recorded: Callable[..., Run], facts: RunFacts
) -> None:
    plan = replace(facts.plan, server_name=None)
    addresses = tuple(Address("::1", number) for number in range(1, 6))
    text = scope(replace(found(recorded, replace(facts, plan=plan)), addresses=addresses))

    assert "5 addresses, each sampled equally" in text
    assert "and 2 more" in text
    assert "no SNI" in text


def test_letters_and_libraries_are_named_where_they_are_not_the_usual(
    recorded: Callable[..., Run], facts: RunFacts
) -> None:
    clients = (Client("go"), Client("java-17", stack=Stack.OPENSSL))
    plan = replace(facts.plan, clients=clients, server_name="xn--bcher-kva.example")
    text = scope(replace(found(recorded, facts), facts=replace(facts, plan=plan)))

    assert "with client go, java-17 (by OpenSSL) over" in text
    assert "SNI xn--bcher-kva.example (bücher.example)," in text


def test_from_where_and_when(recorded: Callable[..., Run], facts: RunFacts) -> None:
    assert origin(found(recorded, facts)) == (
        "host.test (127.0.0.1), 2026-09-21 14:13:20 UTC, 0 handshakes in 20 s (0/s), 1 process."
    )
    plan = replace(facts.plan, load=Load(processes=2))
    text = origin(found(recorded, replace(facts, plan=plan, ended_ns=None, host="")))
    assert text.startswith("this machine")
    assert text.endswith("in an unknown time, 2 processes.")


def test_every_notice_has_words() -> None:
    for kind in NoticeKind:
        notice = Notice(kind, 7, 9, {"local-ports": 7}, "recorded text")
        (words,) = validity(ValidityClaim((), (notice,))).reasons
        assert words
        assert "{" not in words


def test_reasons_come_once_and_the_fatal_first() -> None:
    noted = Notice(NoticeKind.RECORDED, text="a limiter responds to our load")
    lost = Notice(NoticeKind.LOST, 7)
    judged = validity(ValidityClaim((noted,), (lost, noted)))

    assert judged == Validity(
        valid=False,
        reasons=(
            "a limiter responds to our load",
            "7 attempts had begun and left no record",
        ),
    )
    assert valid(judged).startswith("Not valid: a limiter")
    assert valid(Validity(valid=True, reasons=("x",))) == "Valid, with warnings: x."
    assert valid(Validity(valid=True, reasons=())).startswith("Valid: ")


def test_a_replay_and_an_unfinished_file_are_named(
    recorded: Callable[..., Run], facts: RunFacts
) -> None:
    run = recorded([], end=End.UNFINISHED, ended_ns=None)

    assert any("no end mark" in one for one in validity(examine(run).validity).reasons)


def test_goals_are_grouped_by_their_answer() -> None:
    yes, no, unknown = (Assertion(f"x<{n}", n, None) for n in ("yes", "no", "unknown"))

    assert goal_words([yes, no, unknown]) == (
        "Refuted: x<no. "
        "Undecided: x<unknown (no number of handshakes is known to settle it). Holds: x<yes."
    )
    assert goal_words([]) == ""


def test_below_a_limit_is_said_of_the_time_that_was_seen() -> None:
    goals = [
        Assertion("failing<1%", "yes", 0.0, seen_s=75.0),
        Assertion("chains==1", "yes", 1.0),
        Assertion("failing>2%", "no", 0.0, seen_s=75.0),
    ]

    assert goal_words(goals) == (
        "Refuted for the 75 s seen: failing>2% (outages less frequent than about one in 25 s could "
        "have been missed). Holds: chains==1. Holds for the 75 s seen: failing<1% (outages less "
        "frequent than about one in 25 s could have been missed)."
    )


def test_what_is_undecided_says_how_many_more_and_the_command() -> None:
    argv = ("tls-stress", "run", "a.test", "-n", "3000", "--assert", "failing<1%")
    goals = [
        Assertion("failing<1%", "unknown", 0.0, needed=2_000, command=argv),
        Assertion("find-limit p99.total<9ms", "unknown", 90.0, needed=700),
    ]

    assert goal_words(goals) == (
        "Undecided: failing<1% (about 2,000 more handshakes, coming out like these, would settle "
        "it), find-limit p99.total<9ms (not confirmed; another search, about 700 more handshakes, "
        "may confirm it). To settle it: tls-stress run a.test -n 3000 --assert 'failing<1%'."
    )
