"""The answer of a replay, as text and as JSON: the sentence first, then each combination."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from stress.model.plan import Role
from stress.text.escape import escape, escape_json
from stress.text.numbers import counted

if TYPE_CHECKING:  # much comes with it
    from stress.analysis.compare.replay import Replayed, ReplayResult
    from stress.model.plan import Replay
    from stress.model.run import RunFacts
    from stress.model.target import Address

SCHEMA = "tls-stress/replay/1"
WIDTH = 100
LONGEST = 12
"""Combinations that are shown."""
_LABEL = 12


class ReplayReport:
    """One replay: what was asked, how its combinations ended, and what that says.

    Args:
        facts: of the replay's own run.
        addresses: of that run, by index.
        found: its combinations, in the order in which they shall be shown.
        answer: what they say.
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
        return "\n".join(self._lines()) + "\n"

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

    def _lines(self) -> Iterator[str]:
        replay = self._replay
        yield from _labelled(self._answer.answer.value, self._answer.sentence)
        asked = f"{replay.run}, {replay.cause or 'all its failures'}"
        yield from _labelled("replayed", asked)
        yield from _labelled("how", self._how())
        failed = [one for one in self._found if one.combination.role is Role.FAILED]
        for one in failed[:LONGEST]:
            yield from _labelled(f"{one.failures} of {one.tries}", self._words(one))
        if len(failed) > LONGEST:
            yield from _labelled("", f"and {counted(len(failed) - LONGEST, 'more combination')}")
        yield from _labelled("run file", self._facts.file)

    def _how(self) -> str:
        replay = self._replay
        return (
            f"{counted(replay.round_size, 'combination')} in random order, "
            f"{counted(replay.rounds, 'round')}, {replay.gap_s:g} s between the rounds; "
            f"failures are {', '.join(replay.endings)}"
        )

    def _words(self, one: Replayed) -> str:
        fields = self._fields(one)
        names = ("address", "client", "source", "local_port")
        return ", ".join(
            f"{name.replace('_', ' ')} {fields[name]}" for name in names if fields[name]
        )

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


def _labelled(label: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        escape(text, longest=2000),
        WIDTH,
        initial_indent=label.ljust(_LABEL),
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )
