"""During a run: which address, client or chain fails more often than all the rest?

Honest although it is evaluated again and again: a value is reported when the anytime-valid interval
of its failure rate lies above that of the rest. The level is shared among the values in the order
in which they fail for the first time (a / (j (j + 1)) for the j-th, which adds up to a), so that it
does not matter how many there will be. Only values of one dimension; combinations, aliases and
stratified checks are left to the report, which has the whole run.

Imported late: it needs scipy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stress.analysis.proportions.binomial import LEVEL, confidence_sequence
from stress.model.outcome import Side, side_of
from stress.model.record import Record
from stress.text.numbers import percent, thousands

FEWEST = 3
"""Failures below which nothing is reported."""
MOST = 3
"""Values that are tested at a time, and so the most that are reported."""
_ADDRESS, _CLIENT, _CHAIN = range(3)
_SHORT = 12
"""Hexadecimal digits of a chain, as in the report."""
_Value = tuple[int, int | bytes]


class LiveAnomalies:
    """Counts attempts and failures by value.

    Args:
        addresses: their texts, by index; those that join later are named by number.
        clients: their names, by index.
    """

    def __init__(self, addresses: Sequence[str], clients: Sequence[str]) -> None:
        self._names = {_ADDRESS: addresses, _CLIENT: clients}
        self._tried: Counter[_Value] = Counter()
        self._failed: Counter[_Value] = Counter()
        self._outcomes: dict[bytes, Counter[str]] = {}
        self._rank: dict[_Value, int] = {}
        """Values by the order in which they failed first."""

    def take(self, records: Sequence[Record]) -> None:
        """Counts attempts that ended."""
        seen = Counter((one.address, one.client, one.chain, one.outcome) for one in records)
        for (address, client, chain, outcome), count in seen.items():
            side = side_of(outcome)
            if side not in {Side.TARGET, Side.NOBODY}:
                continue
            values: list[_Value] = [(_ADDRESS, address), (_CLIENT, client)]
            if chain is not None:
                values.append((_CHAIN, chain))
                self._outcomes.setdefault(chain, Counter())[outcome] += count
            for value in values:
                self._tried[value] += count
                if side is Side.TARGET:
                    self._failed[value] += count
                    self._rank.setdefault(value, len(self._rank) + 1)

    def chains(self, most: int) -> list[str]:
        """The chains in the order of their first sight; the newest where there are many."""
        return [
            f"{chain.hex()[:_SHORT]} {outcomes.most_common(1)[0][0]} {thousands(outcomes.total())}"
            for chain, outcomes in list(self._outcomes.items())[-most:]
        ]

    def sentences(self) -> tuple[str, ...]:
        """Those that fail more often than the rest with 95% confidence, worst first."""
        sentences: list[str] = []
        worst = sorted(self._rank, key=lambda value: -self._failed[value] / self._tried[value])
        for value in [value for value in worst if self._failed[value] >= FEWEST][:MOST]:
            dimension, which = value
            failed, tried = self._failed[value], self._tried[value]
            same_dimension = [each for each in self._tried if each[0] == dimension]
            rest = sum(self._tried[each] for each in same_dimension) - tried
            rest_failed = sum(self._failed[each] for each in same_dimension) - failed
            rank = self._rank[value]
            level = 1 - (1 - LEVEL) / (rank * (rank + 1))
            # Without a rest its interval is 0 to 1, so that nothing lies above it.
            outside = confidence_sequence(rest_failed, rest, level)
            if confidence_sequence(failed, tried, level).low <= outside.high:
                continue
            if isinstance(which, bytes):
                name = f"chain {which.hex()[:_SHORT]}"
            else:
                names = self._names[dimension]
                name = names[which] if which < len(names) else f"address #{which}"
            sentences.append(
                f"{name}: {thousands(failed)} of {thousands(tried)} fail ({percent(failed / tried)}"
                f"), elsewhere {thousands(rest_failed)} of {thousands(rest)}"
            )
        return tuple(sentences)
