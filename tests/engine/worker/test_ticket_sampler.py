from __future__ import annotations

import random

from stress.engine.worker.ticket_sampler import AFTER_NEW, FIRST, PART, TicketSampler


def sampler() -> TicketSampler:
    return TicketSampler(random.Random(1))


def test_the_first_are_all_read_and_then_a_part() -> None:
    tickets = sampler()

    assert all(tickets.due() for _ in range(FIRST))
    read = sum(tickets.due() for _ in range(16_000))
    assert abs(read - 16_000 * PART) < 4 * (16_000 * PART) ** 0.5


def test_a_part_is_chosen_by_chance_so_no_server_of_a_round_is_left_out() -> None:
    tickets = sampler()
    places = {place % 12 for place in range(FIRST + 4_000) if tickets.due() and place >= FIRST}

    assert places == set(range(12))


def test_after_a_new_chain_the_next_are_read_once() -> None:
    tickets = sampler()
    for _ in range(FIRST):
        tickets.due()
    tickets.met(b"new")

    assert all(tickets.due() for _ in range(AFTER_NEW))
    tickets.met(b"new")
    tickets.met(None)
    assert not all(tickets.due() for _ in range(AFTER_NEW))
