from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stress.analysis.causes.inconsistencies import inconsistencies
from stress.analysis.recording import record
from stress.model.claims import FailureCount
from stress.model.plan import Client, Plan
from stress.model.run import Cell, Run, SeenChain


@pytest.fixture
def chains(pki: Any, seen: Callable[..., SeenChain]) -> tuple[SeenChain, ...]:
    return (
        seen(1, [pki.leaf, pki.intermediate], 900),
        seen(2, [pki.other, pki.intermediate], 100),
        seen(3, [pki.leaf], 50),
    )


def test_two_good_chains_are_told_with_their_place(
    chains: tuple[SeenChain, ...], located: Callable[..., Run]
) -> None:
    run = located(lambda like: 25 if like.address == 1 else 0, outcome="ok", chains=chains)
    cells = tuple(one._replace(chain=2 if one.address == 1 else 1) for one in run.cube().cells)
    run.the_cube = replace(run.cube(), cells=cells)  # type: ignore[attr-defined] # the fake
    ((found, isolation),) = inconsistencies(record(run))

    assert found.category == "different-issuer"
    assert found.total == FailureCount(4000, 16_000)
    assert isolation is not None
    assert isolation.slices[0].conditions[0].value == "10.0.3.7:443"


def test_a_missing_intermediate_that_nobody_minds_is_a_different_chain(
    chains: tuple[SeenChain, ...], recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    run = recorded([cell(90), cell(10, chain=3)], chains=chains)
    ((found, isolation),) = inconsistencies(record(run))

    assert found.category == "different-chain"
    assert isolation is not None
    assert not isolation.slices


def test_one_chain_for_each_client_is_no_inconsistency(
    chains: tuple[SeenChain, ...],
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    plan: Plan,
) -> None:
    two = replace(plan, clients=(Client("ecdsa"), Client("rsa")))
    run = recorded([cell(90), cell(10, chain=2, client=1)], chains=chains, plan=two)

    assert not list(inconsistencies(record(run)))


def test_bad_chains_are_no_inconsistency(
    chains: tuple[SeenChain, ...], recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    run = recorded([cell(90), cell(10, chain=3, outcome="incomplete-chain")], chains=chains)

    assert not list(inconsistencies(record(run)))
    reset = recorded([cell(1, outcome="reset")], chains=chains)
    assert not list(inconsistencies(record(reset)))


def test_of_many_chains_only_some_are_told(
    pki: Any,
    seen: Callable[..., SeenChain],
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
) -> None:
    many = [seen(n, [pki.leaf, bytes([n])], 10) for n in range(1, 8)]
    run = recorded([cell(10, chain=n) for n in range(1, 8)], chains=many)
    found = list(inconsistencies(record(run)))

    assert len(found) == 3
    assert found[0][0].others == 3


def test_a_chain_for_each_connection_is_one_inconsistency(
    pki: Any,
    seen: Callable[..., SeenChain],
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
) -> None:
    many = [seen(n, [pki.leaf, bytes([n])], 1) for n in range(1, 51)]
    run = recorded([cell(1, chain=n) for n in range(1, 51)], chains=many)
    ((found, isolation),) = inconsistencies(record(run))

    assert found.mechanism is None
    assert isolation is None
    assert (found.category, found.total, found.others) == (
        "different-chain",
        FailureCount(49, 50),
        50,
    )
