"""Which session tickets a worker reads: a random sample, and those of rare chains."""

from __future__ import annotations

import random

from stress.engine.worker.tickets import EVERY, LEARNED, MOST_RARE, TicketSampler


def begun() -> TicketSampler:
    """One that has read what it learns from, of another address."""
    sampler = TicketSampler(seed=1)
    assert all(sampler.reads(9, 9, b"good") for _ in range(LEARNED))
    return sampler


def test_one_in_sixteen_is_drawn_whatever_the_attempt() -> None:
    sampler = TicketSampler(seed=1)

    drawn = [sampler.draws() for _ in range(16_000)]

    assert abs(sum(drawn) - 16_000 / EVERY) < 4 * (16_000 / EVERY) ** 0.5


def test_asked_for_all_it_reads_all() -> None:
    assert all(TicketSampler(seed=1, everything=True).draws() for _ in range(100))


def test_sessions_are_not_offered_by_the_same_numbers() -> None:
    """Else those that are drawn would all be resumptions, and no sample of the others."""
    numbers = random.Random(7)
    sampler = TicketSampler(seed=7)

    offered = [numbers.random() < 0.5 for _ in range(4_000)]
    drawn = [sampler.draws() for _ in range(4_000)]

    both = sum(a and b for a, b in zip(offered, drawn, strict=True))
    assert 0.3 * sum(drawn) < both < 0.7 * sum(drawn)


def test_every_rare_chain_is_read_and_the_commonest_is_not() -> None:
    sampler = begun()
    chains = [b"good"] * 9 + [b"bad"]

    read = [sampler.reads(0, 0, chain) for _ in range(10) for chain in chains]

    assert read == ([False] * 9 + [True]) * 10


def test_addresses_and_clients_have_commonest_chains_of_their_own() -> None:
    sampler = begun()

    assert not any(sampler.reads(place, 0, b"%d" % place) for place in (0, 1) for _ in range(9))
    assert not any(sampler.reads(0, 1, b"x") for _ in range(5))


def test_a_resumption_has_no_chain_and_is_not_rare() -> None:
    sampler = begun()
    sampler.reads(0, 0, b"good")
    sampler.reads(0, 0, b"good")

    assert not sampler.reads(0, 0, None)


def test_rare_chains_without_end_cost_no_more_than_so_many() -> None:
    sampler = begun()
    for _ in range(3):
        sampler.reads(0, 0, b"good")

    assert (
        sum(sampler.reads(0, 0, b"%d" % number) for number in range(5_000)) == MOST_RARE - LEARNED
    )
