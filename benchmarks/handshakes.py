"""Processor time per full handshake, the clients in turn, round after round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.clients import CLIENTS, Aim, Client
from benchmarks.cost import run

ENDED_WELL = {0, 4}
"""Exit codes: 4 of ours says that this machine was the limit, which is what is measured here."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one client needed, over all rounds."""

    client: str
    rounds_us: tuple[float, ...]
    """Per round: processor time of the whole process tree over its handshakes, microseconds."""
    started_s: float
    """Processor time of a run of one handshake: the cost of start and exit."""
    handshakes: int
    """Handshakes of a typical round."""

    @property
    def all_in_us(self) -> float:
        """Median over the rounds, start-up and report included."""
        return median(self.rounds_us)

    @property
    def marginal_us(self) -> float:
        """The same without what a run of one handshake costs."""
        return self.all_in_us - self.started_s * 1e6 / self.handshakes


def measure(aim: Aim, rounds: int, count: int) -> list[Figure]:
    """Let every installed client make about `count` handshakes in each round."""
    clients = [client for client in CLIENTS if client.present]
    started = {client.name: _start_up(client, aim) for client in clients}
    times: dict[str, list[tuple[float, int]]] = {client.name: [] for client in clients}
    for number in range(rounds):
        # In turn within one round, so that whatever else the machine does meets all of them.
        for client in clients:
            times[client.name].append(_one(client, aim, count))
            print(
                f"round {number + 1}: {client.name} {_per_handshake(times[client.name][-1]):.0f} µs"
            )
    return [_figure(name, started[name], taken) for name, taken in times.items()]


def _one(client: Client, aim: Aim, count: int) -> tuple[float, int]:
    """Processor seconds, and handshakes made."""
    cost = run(client.command(aim, count))
    if cost.code not in ENDED_WELL:
        raise RuntimeError(f"{client.name} ended with code {cost.code}:\n{cost.output}")
    return cost.cpu_s, client.count(cost.output)


def _start_up(client: Client, aim: Aim) -> float:
    """Processor seconds of a run of one handshake; 0 where the client only takes a time."""
    if client.takes_time:
        return 0.0
    return median(_one(client, aim, 1)[0] for _ in range(3))


def _per_handshake(taken: tuple[float, int]) -> float:
    cpu_s, made = taken
    return cpu_s * 1e6 / made


def _figure(name: str, started_s: float, taken: Sequence[tuple[float, int]]) -> Figure:
    per_round = tuple(_per_handshake(one) for one in taken)
    return Figure(name, per_round, started_s, round(median(made for _, made in taken)))
