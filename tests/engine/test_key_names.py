from __future__ import annotations

import random

from stress.engine.key_names import FEW, KeyNames
from stress.engine.messages import Batch
from stress.engine.recorder import Recorder
from stress.model.plan import Address
from tests.engine.conftest import Book, plan_for
from tests.engine.test_messages import RECORD


def octets(seed: int, count: int = 16) -> str:
    return random.Random(seed).randbytes(count).hex()


def named(*begins: str, address: int = 0, names: KeyNames | None = None) -> list[str | None]:
    """Names of tickets that came in one batch."""
    names = names or KeyNames()
    for begin in begins:
        names.learn(address, begin)
    return [names.name(address, begin) for begin in begins]


def test_what_comes_twice_is_a_name() -> None:
    begin = "8b9b1c2d" + octets(1, 12)

    assert named(begin, begin) == ["ticket key 8b9b1c2d"] * 2


def test_random_octets_are_none() -> None:
    assert named(*map(octets, range(500))) == [None] * 500


def test_once_names_are_known_a_new_one_is_believed_at_once() -> None:
    assert None not in named(octets(1), octets(1), octets(2))


def test_every_address_has_tickets_of_its_own() -> None:
    names = KeyNames()
    named(octets(1), octets(1), names=names)

    assert named(octets(2), address=1, names=names) == [None]


def test_four_octets_have_to_come_three_times() -> None:
    begins = ["0000002a" + octets(number, 12) for number in range(3)]

    assert named(*begins[:2]) == [None, None]
    assert named(*begins) == ["ticket key 0000002a"] * 3


def test_beside_a_server_without_names_only_repeated_ones_count() -> None:
    names = KeyNames()
    named(octets(1), octets(1), *map(octets, range(2, 10 + FEW)), names=names)

    assert named(octets(1), octets(99), names=names)[0] is not None
    assert named(octets(98), names=names) == [None]


def test_many_servers_that_were_met_once_or_twice_are_believed() -> None:
    chance = random.Random(4)
    begins = [octets(chance.randrange(200)) for _ in range(130)]

    assert None not in named(*begins)


def test_the_recorder_puts_names_in_rows_and_none_where_there_is_none() -> None:
    book = Book()
    tickets = [octets(1), octets(1), None, octets(1)]
    rows = [RECORD._replace(chain=None, backend=one) for one in tickets]
    lone = [RECORD._replace(chain=None, backend=octets(2), address=1)]

    Recorder(plan_for(Address("127.0.0.1", 443), b""), book).add(Batch([*rows, *lone]))

    name = f"ticket key {octets(1)[:8]}"
    assert [one.backend for one in book.records] == [name, name, None, name, None]
