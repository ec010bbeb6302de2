from collections.abc import Callable
from dataclasses import replace

import pytest

from stress.analysis.chains import leaf_text
from stress.analysis.recording import offered_rates, record
from stress.model.attributes import Dimension
from stress.model.plan import Client, Plan
from stress.model.run import Cell, Run, SeenChain


def values(run: Run, dimension: Dimension) -> tuple[str, ...]:
    column = record(run).table.column(dimension)
    assert column is not None
    return column.values


def test_dimensions_are_read_as_people_name_them(located: Callable[..., Run]) -> None:
    run = located(lambda like: 0)

    assert values(run, Dimension.ADDRESS)[-1] == "[2001:db8::9]:443"
    assert values(run, Dimension.FAMILY) == ("ipv4", "ipv6")
    assert values(run, Dimension.LABEL) == ("node-a", "node-b", "node-c", "node-d")
    assert values(run, Dimension.TLS_VERSION) == ("TLS 1.2", "TLS 1.3")
    assert values(run, Dimension.CIPHER) == ("TLS_AES_128_GCM_SHA256",)
    assert values(run, Dimension.VANTAGE) == ()


def test_a_client_without_sni_asks_for_none(
    cell: Callable[..., Cell], recorded: Callable[..., Run], plan: Plan
) -> None:
    clients = (Client("generic"), Client("old", server_name=False))
    run = recorded([cell(1), cell(1, client=1, resumed=True)], plan=replace(plan, clients=clients))

    assert values(run, Dimension.SNI) == ("lab.test", "none")
    assert values(run, Dimension.RESUMED) == ("no", "yes")


def test_chains_are_told_by_hash_leaf_and_issuer(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    leaf_and_more: tuple[SeenChain, SeenChain],
) -> None:
    alone, whole = leaf_and_more
    run = recorded([cell(1), cell(1, chain=2), cell(1, chain=77)], chains=[alone, whole])

    assert len(values(run, Dimension.CHAIN)) == 2
    assert len(values(run, Dimension.LEAF)) == 1
    assert values(run, Dimension.ISSUER) == ("CN=Lab Intermediate A",)
    assert "serial" in leaf_text(alone)


def test_rates_come_from_blocks_a_segment_has_for_itself(cell: Callable[..., Cell]) -> None:
    cells = [
        cell(100, block=0),
        cell(60, block=1),
        cell(20, block=1, segment=1),
        cell(500, block=2, segment=1),
        cell(7, block=3, segment=2),
        cell(3, block=3, segment=1),
    ]

    assert offered_rates(cells, 1_000_000_000) == {0: 100.0, 1: 500.0, 2: 7.0}


def test_moments_are_times_of_day(located: Callable[..., Run]) -> None:
    recording = record(located(lambda like: 0))

    assert recording.moment(0) == "14:13:20"
    assert recording.moment(40) == "14:14:00"
    assert recording.moment(86_400) == "09-22 14:13:20"


@pytest.mark.parametrize("count", [0, 1])
def test_almost_nothing_can_be_read(
    recorded: Callable[..., Run], cell: Callable[..., Cell], count: int
) -> None:
    assert len(record(recorded([cell(1)] * count)).table) == count
