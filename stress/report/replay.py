"""The answer of a replay, as text and as JSON: the sentence first, then each combination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from stress.model.plan import Role
from stress.report.lines import labelled
from stress.text.escape import escape_json
from stress.text.numbers import counted

if TYPE_CHECKING:  # much comes with it
    from stress.analysis.compare.replay import Replayed, ReplayResult
    from stress.model.plan import Replay
    from stress.model.run import RunFacts
    from stress.model.target import Address

SCHEMA = "tls-stress/replay/1"
LONGEST = 12
"""Combinations that are shown."""
_COLUMN = 12
_CHOICES = ("address", "client", "source", "local_port")


class ReplayReport:
    """One replay: what was tried, how its combinations ended, and what that means.

    Args:
        facts: of the replay's own run.
        addresses: of that run, by index.
        found: its combinations, in the order to show.
        answer: what they mean.
    """

    def __init__(
        self,
        facts: RunFacts,
        addresses: Sequence[Address],
        found: Sequence[Replayed],
        answer: ReplayResult,
    ) -> None:
        self._facts, self._addresses = facts, addresses
        self._found, self._answer = found, answer

    def text(self) -> str:
        """For a reader at a terminal."""
        replay = self._replay
        failed = [one for one in self._found if one.combination.role is Role.FAILED]
        how = (
            f"{counted(replay.round_size, 'combination')} in random order, "
            f"{counted(replay.rounds, 'round')}, {replay.gap_s:g} s between the rounds; "
            f"failures are {', '.join(replay.endings)}"
        )
        rows = [
            (self._answer.answer.value, self._answer.sentence),
            ("replayed", f"{replay.run}, {replay.cause or 'all its failures'}"),
            ("how", how),
        ]
        for one in failed[:LONGEST]:
            fields = self._fields(one)
            known = (name for name in _CHOICES if fields[name])
            words = ", ".join(f"{name.replace('_', ' ')} {fields[name]}" for name in known)
            rows.append((f"{one.failures} of {one.tries}", words))
        if len(failed) > LONGEST:
            rows.append(("", f"and {counted(len(failed) - LONGEST, 'more combination')}"))
        rows.append(("run file", self._facts.file))
        lines = [line for label, text in rows for line in labelled(label, text, _COLUMN)]
        return "\n".join(lines) + "\n"

    def document(self) -> str:
        """One JSON document."""
        document = {
            "schema": SCHEMA,
            "answer": self._answer.answer.value,
            "sentence": self._answer.sentence,
            "p_value": self._answer.p_value,
            "replayed": self._replay.run,
            "cause": self._replay.cause,
            "run": {"name": self._facts.name, "file": self._facts.file},
            "combinations": [self._fields(one) for one in self._found],
        }
        encoded = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
        return escape_json(encoded) + "\n"

    @property
    def _replay(self) -> Replay:
        assert self._facts.plan.replay is not None
        return self._facts.plan.replay

    def _fields(self, one: Replayed) -> dict[str, str | int | None]:
        plan, what = self._facts.plan, one.combination
        return {
            "role": what.role.value,
            "address": str(self._addresses[what.address]),
            "client": plan.clients[what.client].name,
            "source": None if what.source is None else plan.sources[what.source],
            "local_port": what.local_port,
            "tries": one.tries,
            "failures": one.failures,
        }
