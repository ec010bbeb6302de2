from __future__ import annotations

from collections import Counter
from itertools import islice

from stress.engine.worker.schedule import Draw, draws, replayed
from stress.model.plan import Address, Client, Combination, Replay, Role

ADDRESSES = tuple(Address(f"127.0.0.{n}", 443) for n in range(1, 6))
ONE_CLIENT = (Client("generic"),)


def test_every_address_is_asked_equally_often_after_each_round() -> None:
    schedule = draws(ADDRESSES, ONE_CLIENT, (), seed=1)

    counts = Counter(next(schedule).address for _ in range(5 * 200))

    assert set(counts.values()) == {200}


def test_rounds_come_in_changing_order() -> None:
    """A fixed order could keep in step with a balancer that goes round robin."""
    schedule = draws(ADDRESSES, ONE_CLIENT, (), seed=1)

    rounds = {tuple(next(schedule).address for _ in range(5)) for _ in range(20)}

    assert len(rounds) > 10


def test_clients_are_drawn_by_weight_independently_of_the_address() -> None:
    clients = (Client("a", weight=3), Client("b", weight=1))
    schedule = draws(ADDRESSES[:2], clients, (), seed=5)

    counts = Counter((draw.address, draw.client) for draw in (next(schedule) for _ in range(8000)))

    for address in (0, 1):
        share = counts[address, 0] / (counts[address, 0] + counts[address, 1])
        assert 0.72 < share < 0.78


def test_sources_take_turns() -> None:
    schedule = draws(ADDRESSES, ONE_CLIENT, ("127.0.0.1", "127.0.0.2"), seed=0)

    assert [next(schedule).source for _ in range(4)] == [0, 1, 0, 1]


def test_without_sources_the_kernel_chooses() -> None:
    assert next(draws(ADDRESSES, ONE_CLIENT, (), seed=0)).source is None


def test_an_address_that_joins_is_asked_from_the_next_round_on() -> None:
    addresses = [ADDRESSES[0]]
    schedule = draws(addresses, ONE_CLIENT, (), seed=0)
    next(schedule)

    addresses.append(ADDRESSES[1])

    assert Counter(next(schedule).address for _ in range(10)) == {0: 5, 1: 5}


def test_the_same_seed_deals_the_same_draws() -> None:
    first, second = (draws(ADDRESSES, ONE_CLIENT, (), seed=9) for _ in range(2))

    assert [*islice(first, 50)] == [*islice(second, 50)]


def combination(address: int, port: int | None) -> Combination:
    return Combination(Role.FAILED, address, 0, None, port)


def test_a_replay_returns_its_combinations_in_their_order() -> None:
    order = (combination(1, 40_000), combination(0, None), combination(1, 40_000))

    assert [*replayed(Replay("lab", order, 1, 0.0, (), 1.0))] == [
        Draw(1, 0, None, 40_000),
        Draw(0, 0, None, None),
        Draw(1, 0, None, 40_000),
    ]
