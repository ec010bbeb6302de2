from collections.abc import Sequence

import pytest

from stress.analysis.tally import count
from stress.model.run import Cell, SeenChain
from stress.report.page.page import ChainPair, Difference, pairs
from stress.store import RunFile
from tests.trust.certificates import Wanted, issue

ROOT = issue(Wanted("Root", dns=(), purposes=None, ca=True))
FIRST = issue(Wanted("First", dns=(), purposes=None, ca=True), issuer=ROOT)
SECOND = issue(Wanted("Second", dns=(), purposes=None, ca=True), issuer=ROOT)
LEAF = issue(Wanted("leaf.test"), issuer=FIRST)
STALE = issue(Wanted("leaf.test", ends=-86_400), issuer=FIRST)


def seen(number: int, *ders: bytes) -> SeenChain:
    return SeenChain(number, bytes([number]) * 32, ders, 10, 0, 1)


def cells(chain: int, outcome: str, number: int = 10) -> Cell:
    return Cell(0, 0, None, 0, chain, None, None, None, None, None, 0, 5, outcome, number)


def compared(bad: Sequence[bytes], *, good: bool = True) -> ChainPair:
    chains = [seen(1, LEAF.der, FIRST.der), seen(2, *bad)]
    tally = count([cells(1, "ok" if good else "reset", 100), cells(2, "incomplete-chain")])
    return next(pair for pair in pairs(chains, [], tally) if pair.bad.id == 2)


@pytest.mark.parametrize(
    ("bad", "marks"),
    [
        ([LEAF.der], [Difference.SAME, Difference.MISSING]),
        ([LEAF.der, SECOND.der], [Difference.SAME, Difference.OTHER]),
        ([LEAF.der, FIRST.der, SECOND.der], [Difference.SAME, Difference.SAME, Difference.EXTRA]),
        ([LEAF.der, SECOND.der, FIRST.der], [Difference.SAME, Difference.MOVED, Difference.EXTRA]),
        ([STALE.der, FIRST.der], [Difference.OTHER, Difference.SAME]),
        ([], [Difference.MISSING, Difference.MISSING]),
        ([b"no certificate"], [Difference.OTHER, Difference.MISSING]),
    ],
)
def test_what_is_missing_or_other_is_marked(bad: Sequence[bytes], marks: list[Difference]) -> None:
    assert [row.mark for row in compared(bad).rows] == marks


def test_the_lines_that_differ_are_marked_on_both_sides() -> None:
    row = compared([STALE.der, FIRST.der]).rows[0]

    assert row.good is not None
    assert row.bad is not None
    for card in (row.good, row.bad):
        assert {"valid", "serial", "SHA-256"} <= set(card.differs)
        assert not {"subject", "issuer", "names"} & set(card.differs)


def test_without_a_good_chain_the_failing_one_stands_alone() -> None:
    pair = compared([LEAF.der], good=False)

    assert pair.good is None
    assert pair.differs == ""
    assert [row.mark for row in pair.rows] == [Difference.ALONE]


def test_a_chain_of_a_thousand_certificates_is_cut_and_counted() -> None:
    pair = compared([LEAF.der, *[b"junk %d" % number for number in range(1000)]])

    assert len(pair.rows) == 12
    assert pair.left_out == 1001 - 12


def test_the_most_frequent_failing_chains_are_shown_with_what_is_wrong(page_run: RunFile) -> None:
    tally = count(page_run.cube().cells)
    (pair,) = pairs(page_run.chains(), page_run.verdicts(), tally)

    assert pair.failures == 50
    assert pair.findings == ("incomplete-chain: Between was not sent (any)",)
    assert "Between missing" in pair.differs
    assert tally.failures_by_chain() == {pair.bad.id: 50}
