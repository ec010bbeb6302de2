"""Which attempts meet the conditions of a cause, as far as those are about what we choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stress.analysis.dimensions import Dimension
from stress.handshake.names import cipher_name, group_name, version_name
from stress.model.record import Record
from stress.model.run import Run
from stress.model.summary import Condition

Read = Callable[[Record], str | None]


def matcher(run: Run, conditions: Sequence[Condition]) -> Callable[[Record], bool]:
    """Tells for an attempt of this run whether it meets them.

    Conditions about what cannot be chosen again (a chain, a time, a sample of ports) are met by
    every attempt.
    """
    readers = _readers(run)
    wanted = [
        (readers[Dimension(one.dimension)], one.value)
        for one in conditions
        if Dimension(one.dimension) in readers
    ]
    return lambda record: all(read(record) == value for read, value in wanted)


def _readers(run: Run) -> dict[Dimension, Read]:
    plan, addresses = run.facts().plan, run.addresses()
    named = plan.server_name or "none"
    return {
        Dimension.ADDRESS: lambda record: str(addresses[record.address]),
        Dimension.LABEL: lambda record: addresses[record.address].label,
        Dimension.FAMILY: lambda record: addresses[record.address].family,
        Dimension.CLIENT: lambda record: plan.clients[record.client].name,
        Dimension.SNI: lambda record: named if plan.clients[record.client].server_name else "none",
        Dimension.VANTAGE: lambda record: _at(plan.sources, record.source),
        Dimension.TLS_VERSION: lambda record: _name(version_name, record.tls_version),
        Dimension.CIPHER: lambda record: _name(cipher_name, record.cipher),
        Dimension.KEY_GROUP: lambda record: _name(group_name, record.key_group),
    }


def _at(values: Sequence[str], index: int | None) -> str | None:
    return None if index is None else values[index]


def _name(name: Callable[[int], str], number: int | None) -> str | None:
    return None if number is None else name(number)
