"""While a run goes on: which address, client or chain fails more often than all the rest?

Honest although it looks again and again: a suspect is named when the anytime-valid interval of its
share lies above that of the rest. The level is dealt out among the values in the order in which
they fail for the first time (a / (j (j + 1)) for the j-th, which adds up to a), so that it does not
matter how many there will be. Values of one dimension only; combinations, aliases and guards are
the report's, which sees the whole run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from stress.analysis.proportions.binomial import LEVEL
from stress.analysis.proportions.sequence import confidence_sequence
from stress.analysis.tally import side_of
from stress.model.outcome import Side
from stress.model.record import Record
from stress.text.numbers import percent, thousands

FEWEST = 3
"""Failures from which on anything is said."""
MOST = 3
"""Suspects that are named, and values that are looked at in one go."""
_ADDRESS, _CLIENT, _CHAIN = range(3)
_SHORT = 12
"""Hexadecimal digits of a chain, as in the report."""
_Value = tuple[int, int | bytes]


class LiveAnomalies:
    """Counts attempts and failures by value.

    Args:
        addresses: their texts, by index; those that join later are told by number.
        clients: their names, by index.
    """

    def __init__(self, addresses: Sequence[str], clients: Sequence[str]) -> None:
        self._names = {_ADDRESS: addresses, _CLIENT: clients}
        self._tried: Counter[_Value] = Counter()
        self._failed: Counter[_Value] = Counter()
        self._endings: dict[bytes, Counter[str]] = {}
        self._turn: dict[_Value, int] = {}
        """Values by the order in which they failed first."""

    def take(self, records: Sequence[Record]) -> None:
        """Attempts that ended."""
        seen = Counter((one.address, one.client, one.chain, one.outcome) for one in records)
        for (address, client, chain, outcome), count in seen.items():
            side = side_of(outcome)
            if side not in {Side.TARGET, Side.NOBODY}:
                continue
            values: list[_Value] = [(_ADDRESS, address), (_CLIENT, client)]
            if chain is not None:
                values.append((_CHAIN, chain))
                self._endings.setdefault(chain, Counter())[outcome] += count
            for value in values:
                self._tried[value] += count
                if side is Side.TARGET:
                    self._failed[value] += count
                    self._turn.setdefault(value, len(self._turn) + 1)

    def chains(self, most: int) -> list[str]:
        """The chains in the order in which they were met; the newest where there are many."""
        told = []
        for chain, endings in list(self._endings.items())[-most:]:
            (ending, _), *_ = endings.most_common(1)
            told.append(f"{chain.hex()[:_SHORT]} {ending} {thousands(endings.total())}")
        return told

    def sentences(self) -> tuple[str, ...]:
        """Those that are surely worse than the rest, the worst share first."""
        worst = sorted(self._turn, key=lambda value: -self._failed[value] / self._tried[value])
        likely = [value for value in worst if self._failed[value] >= FEWEST][:MOST]
        return tuple(sentence for value in likely for sentence in self._judge(value))

    def _judge(self, value: _Value) -> Iterator[str]:
        failed, tried = self._failed[value], self._tried[value]
        others = [(each, n) for each, n in self._tried.items() if each[0] == value[0]]
        rest = sum(n for _, n in others) - tried
        beyond = sum(self._failed[each] for each, _ in others) - failed
        if not rest:
            return
        turn = self._turn[value]
        level = 1 - (1 - LEVEL) / (turn * (turn + 1))
        inside = confidence_sequence(failed, tried, level)
        outside = confidence_sequence(beyond, rest, level)
        if inside.low > outside.high:
            yield (
                f"{self._name(value)}: {thousands(failed)} of {thousands(tried)} fail"
                f" ({percent(failed / tried)}), elsewhere {thousands(beyond)} of {thousands(rest)}"
            )

    def _name(self, value: _Value) -> str:
        dimension, which = value
        if isinstance(which, bytes):
            return f"chain {which.hex()[:_SHORT]}"
        names = self._names[dimension]
        return names[which] if which < len(names) else f"address #{which}"
