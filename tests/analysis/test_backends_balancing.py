"""How connections are spread is told only where their order decides it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from stress.analysis.backends import balancing
from stress.model.record import Record
from stress.report.wording.backends import balancing_words

BLANK = Record(**dict.fromkeys(Record._fields))  # type: ignore[arg-type]  # filled in below
NODES = [f"node-{number}" for number in range(12)]


def rows(backends: Sequence[str | None], **more: Any) -> list[Record]:
    return [
        BLANK._replace(id=n, started_ns=n, backend=name, **{key: at[n] for key, at in more.items()})
        for n, name in enumerate(backends)
    ]


def test_servers_that_take_turns_hardly_follow_themselves() -> None:
    order = NODES * 50
    chance = random.Random(1)
    for place in chance.sample(range(len(order) - 1), 60):  # a few overtake each other
        order[place], order[place + 1] = order[place + 1], order[place]

    found = balancing(rows(order))

    assert found is not None
    assert found.by_turns
    assert found.least is None
    assert found.same < 10 < found.expected
    assert "servers take turns" in balancing_words(found)


def test_a_random_choice_says_nothing() -> None:
    told = 0
    for seed in range(50):
        chance = random.Random(seed)
        told += balancing(rows(chance.choices(NODES, k=400))) is not None

    assert told <= 1


def test_weights_are_told_as_shares() -> None:
    chance = random.Random(2)
    drawn = chance.choices(NODES, weights=[1, *[20] * 11], k=2_000)

    found = balancing(rows(drawn))

    assert found is not None
    assert not found.by_turns
    assert found.least is not None
    assert found.least < 0.01
    assert "shares are not equal" in balancing_words(found)


@pytest.mark.parametrize(("key", "said"), [("source", "source address"), ("local_port", "port")])
def test_what_always_leads_to_one_server_is_named(key: str, said: str) -> None:
    chance = random.Random(3)
    values = chance.choices(range(40), k=400)

    found = balancing(rows([NODES[v % 12] for v in values], **{key: values}))

    assert found is not None
    assert found.by == key
    assert f"the same {'source port' if said == 'port' else said} always" in balancing_words(found)


def test_ports_that_never_came_again_decide_nothing() -> None:
    chance = random.Random(4)

    assert balancing(rows(chance.choices(NODES, k=400), local_port=range(400))) is None


def test_one_server_or_none_known_says_nothing() -> None:
    assert balancing(rows(["node-1"] * 400)) is None
    assert balancing(rows([None] * 400)) is None
    assert balancing_words(None) == ""


def test_failures_that_name_their_server_oftener_than_successes_are_no_weight() -> None:
    """Of 12 equal nodes one fails always: its ticket is read each time, else once in 16."""
    chance = random.Random(5)
    nodes = chance.choices(NODES, k=4_000)
    drawn = [chance.random() < 1 / 16 or None for _ in nodes]
    known = [
        name if yes or name == NODES[-1] else None for name, yes in zip(nodes, drawn, strict=True)
    ]

    assert balancing(rows(known, sampled=drawn)) is None
    assert balancing(rows(known)) is not None  # as if all had been read alike


def test_weights_show_in_a_sample_too() -> None:
    chance = random.Random(6)
    nodes = chance.choices(NODES, weights=[1, *[20] * 11], k=20_000)
    drawn = [chance.random() < 1 / 16 or None for _ in nodes]
    known = [name if yes else None for name, yes in zip(nodes, drawn, strict=True)]

    found = balancing(rows(known, sampled=drawn))

    assert found is not None
    assert found.least is not None
    assert found.least < 0.01
