from collections.abc import Callable

from stress.analysis.causes.classes import MOST_CHAINS, explaining, failure_classes
from stress.analysis.causes.table import Table
from stress.analysis.recording import record
from stress.model.attributes import Dimension
from stress.model.outcome import Stage
from stress.model.run import Cell, Run, SeenChain


def test_each_bad_chain_is_a_class_of_its_own(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    run = recorded(
        [
            cell(100),
            cell(5, outcome="expired-leaf", chain=2),
            cell(7, outcome="expired-leaf", chain=3),
            cell(2, outcome="self-signed", chain=3),
        ]
    )
    classes = failure_classes(record(run).table)

    assert [(one.outcome, one.chain, one.count) for one in classes] == [
        ("expired-leaf", 3, 7),
        ("expired-leaf", 2, 5),
        ("self-signed", 3, 2),
    ]


def test_too_many_bad_chains_stay_together(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    bad = [cell(3, outcome="self-signed", chain=number) for number in range(20)]
    classes = failure_classes(record(recorded([cell(100), *bad])).table)

    assert len(classes) == MOST_CHAINS + 1
    assert classes[0].chain is None
    assert sum(one.count for one in classes) == 60


def test_a_bad_chain_for_each_connection_is_one_class(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    bad = [cell(1, outcome="self-signed", chain=number) for number in range(20)]
    often = cell(5, outcome="self-signed", chain=99)
    classes = failure_classes(record(recorded([cell(100), *bad, often])).table)

    assert [(one.chain, one.count) for one in classes] == [(None, 20), (99, 5)]


def test_only_attempts_that_came_as_far_are_the_denominator(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    run = recorded(
        [
            cell(100),
            cell(10, outcome="refused", stage=Stage.CONNECT, chain=None),
            cell(5, outcome="eof", stage=Stage.SERVER_HELLO, chain=None),
        ]
    )
    table = record(run).table
    found = {one.outcome: int(table.counts[one.reached].sum()) for one in failure_classes(table)}

    assert found == {"refused": 115, "eof": 105}


def test_a_chain_that_always_breaks_the_handshake_is_its_mechanism(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    run = recorded([cell(100), cell(8, outcome="bad-signature", stage=Stage.CERTIFICATE, chain=2)])
    (failing,) = failure_classes(record(run).table)

    assert failing.chain == 2


def test_what_decides_by_definition_or_is_not_known_may_not_explain(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    leaf_and_more: tuple[SeenChain, SeenChain],
) -> None:
    bad = cell(8, outcome="incomplete-chain", chain=2, cipher=None)
    table = record(recorded([cell(100), bad], chains=leaf_and_more)).table
    (failing,) = failure_classes(table)
    may = {column.dimension for column in explaining(table, failing)}

    assert Dimension.TLS_VERSION in may
    assert Dimension.ADDRESS in may
    assert not may & {Dimension.CHAIN, Dimension.LEAF, Dimension.ISSUER, Dimension.CIPHER}


def test_good_runs_have_no_classes(recorded: Callable[..., Run], cell: Callable[..., Cell]) -> None:
    assert failure_classes(record(recorded([cell(5)])).table) == ()
    assert failure_classes(record(recorded([])).table) == ()


def test_a_suite_that_follows_from_the_key_explains_nothing(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    ecdsa, rsa, other_rsa = 0xC02B, 0xC02F, 0xC030
    by_key = record(
        recorded([cell(90, cipher=ecdsa), cell(9, outcome="self-signed", chain=2, cipher=rsa)])
    ).table
    by_policy = record(
        recorded([cell(90, cipher=other_rsa), cell(9, outcome="self-signed", chain=2, cipher=rsa)])
    ).table

    def explains(table: Table) -> bool:
        (failing,) = failure_classes(table)
        return Dimension.CIPHER in {column.dimension for column in explaining(table, failing)}

    assert not explains(by_key)
    assert explains(by_policy)


def test_certificates_that_become_valid_later_are_one_class(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    again = [
        one
        for number in (2, 3, 4)
        for one in (cell(5, outcome="not-yet-valid", chain=number), cell(20, chain=number))
    ]
    never = [cell(5, outcome="not-yet-valid", chain=number) for number in (5, 6)]

    assert len(failure_classes(record(recorded(again)).table)) == 1
    assert len(failure_classes(record(recorded([cell(40), *never])).table)) == 2
