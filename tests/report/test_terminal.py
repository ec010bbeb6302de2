import re
from dataclasses import replace

import pytest

from stress.model.summary import (
    Answer,
    Assertion,
    Condition,
    Likely,
    Quantiles,
    Summary,
    Unexplained,
)
from stress.report.terminal import TerminalReport

LABELS = [
    "failing",
    "where",
    "what",
    "who",
    "fix",
    "prove",
    "detectable",
    "tested",
    "from",
    "valid",
]
HOSTILE = "CN=\x1b]0;owned\x07\x1b[2J\u202e[bold]moc.elgoog[/bold]\n=cmd"


def test_the_first_ten_lines_come_in_the_contracts_order(summary: Summary) -> None:
    lines = TerminalReport().render(summary).splitlines()

    assert [line.split()[0] for line in lines[:10]] == LABELS
    assert "98 of 20,000" in lines[0]
    assert lines[10] == ""


def test_below_stand_the_tables(summary: Summary) -> None:
    text = TerminalReport().render(summary)

    assert re.search(r"incomplete-chain +98 +0\.49% +finished 98", text)
    assert re.search(r"3f3f3f3f3f3f +1 +98 +0\.49% +CN=lab\.test", text)
    assert "same leaf; intermediate CN=Lab Intermediate A" in text
    assert "incomplete-chain: apple, go" in text
    assert re.search(r"edge 127\.0\.0\.1:8443 +20,000 +98 +0\.49% +- +- +0\.40\u20130\.60%", text)
    assert re.search(r"server +0\.412 +0\.980 +2\.10 +15\.0 +130", text)


@pytest.mark.parametrize("width", [20, 60, 80, 100, 400])
def test_no_line_is_wider_than_asked_nor_than_a_hundred_columns(
    width: int, summary: Summary
) -> None:
    lines = TerminalReport(width=width).render(summary).splitlines()

    assert max(map(len, lines)) <= max(60, min(width, 100))
    assert all(line == line.rstrip() for line in lines)


def test_on_sixty_columns_an_address_stays_whole_and_keeps_its_latency(summary: Summary) -> None:
    line = replace(summary.addresses[0], latency=Quantiles(1_500.0, 2_500.0, None, None, None))
    text = TerminalReport(width=60).render(replace(summary, addresses=(line,)))

    assert re.search(r"\nedge +20,000 +98 +0\.49% +0\.40\u20130\.60%\n", text)
    assert re.search(r"\n +127\.0\.0\.1:8443\n", text)
    assert "1.50, 2.50 ms" in " ".join(text.split())


def test_a_long_list_of_clients_keeps_the_measured_percentages(summary: Summary) -> None:
    codes = ", ".join(f"family-{n} (exit {n}: (as seen) {'x' * 20})" for n in range(10))
    who = f"Measured: 2 of 8 (25.0%) as go, 0 of 9 (0%) as others. Fails for {codes}. Not for old."
    text = TerminalReport().render(replace(summary, lines=replace(summary.lines, who=who)))
    shown = " ".join(text.split())

    assert "Measured: 2 of 8 (25.0%) as go, 0 of 9 (0%) as others. Fails for family-0, fam" in shown
    assert "family-9. Not for old. Codes: see Clients." in shown


def test_on_forty_columns_the_answer_fits_though_tables_do_not(summary: Summary) -> None:
    answer, _, _ = TerminalReport(width=40).render(summary).partition("\n\n")

    assert max(map(len, answer.splitlines())) <= 40
    assert answer.startswith("failing")


def test_colour_only_repeats_what_the_words_say(summary: Summary) -> None:
    plain = TerminalReport().render(summary)
    coloured = TerminalReport(colour=True).render(summary)

    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert coloured != plain
    assert [line.rstrip() for line in stripped.splitlines()] == plain.splitlines()


@pytest.mark.parametrize("answer", list(Answer))
def test_each_verdict_opens_the_report(answer: Answer, summary: Summary) -> None:
    assert TerminalReport().render(replace(summary, verdict=answer)).startswith(answer.value)


def test_a_clean_run_shows_no_empty_tables(summary: Summary) -> None:
    failures = replace(summary.failures, count=0, categories={}, stages={})
    clean = replace(
        summary, verdict=Answer.CLEAN, failures=failures, causes=(), chains=(), addresses=()
    )

    text = TerminalReport().render(clean)

    assert not re.search(r"^(Causes|Failures|Chains|Addresses|Assertions)$", text, re.MULTILINE)
    assert "Latency, ms" in text


def test_hostile_names_can_neither_move_the_cursor_nor_mark_up(summary: Summary) -> None:
    cause = replace(
        summary.causes[0],
        sentence=HOSTILE,
        aliases=((Condition("issuer", HOSTILE),),),
        likely=(Likely("x", HOSTILE, HOSTILE),),
        fix=HOSTILE,
        next=HOSTILE,
    )
    odd = replace(summary.chains[0], subject=HOSTILE, differs=HOSTILE)
    address = replace(summary.addresses[0], label=HOSTILE)
    hostile = replace(
        summary,
        causes=(cause,),
        chains=(odd,),
        addresses=(address,),
        lines=replace(summary.lines, verdict=HOSTILE, what=HOSTILE),
        assertions=(Assertion(HOSTILE, "unknown", None),),
    )

    text = TerminalReport().render(hostile)

    assert not set(text) & set("\x1b\x07\u202e")
    assert r"\x1b]0;owned\x07" in text.replace("\n", "")
    assert "[bold]" in text


def test_a_thousand_addresses_are_told_by_the_worst_twenty(summary: Summary) -> None:
    line = summary.addresses[0]
    many = [replace(line, address=f"10.0.{n // 256}.{n % 256}:443", failures=0) for n in range(999)]
    text = TerminalReport().render(replace(summary, addresses=(*many, line)))

    assert "and 980 more addresses" in text
    assert text.index("127.0.0.1:8443") < text.index("10.0.0.0:443")


def test_failures_that_nothing_explains_are_told(summary: Summary) -> None:
    text = TerminalReport().render(replace(summary, unexplained=Unexplained(7)))

    assert "Unexplained: 7 failures" in text


def test_assertions_stand_with_their_answer_and_value(summary: Summary) -> None:
    held = (Assertion("failing<0.1%", "no", 0.0049), Assertion("causes==0", "unknown", None))
    text = TerminalReport().render(replace(summary, assertions=held))

    assert re.search(r"no +0\.0049 +failing<0\.1%", text)
    assert re.search(r"unknown +- +causes==0", text)
