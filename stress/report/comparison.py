"""Two runs side by side, as text and as JSON: what changed first, then what that rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from stress.model.claims import RunChange
from stress.model.plan import Role
from stress.planning.run_command import run_argv
from stress.report.explanation import labelled
from stress.text.escape import escape_json, shell_line
from stress.text.numbers import counted

if TYPE_CHECKING:  # numpy and scipy come with it
    from stress.analysis.compare.compare import Comparison

SCHEMA = "tls-stress/comparison/1"
_COLUMN = 16


def render_comparison(found: Comparison) -> str:
    """The answer, what became of each cause, the latencies, and both runs by their headlines."""
    rows = [(found.change.value, found.headline)]
    if not found.reasons:
        for change in found.causes:
            rows += [("cause", change.cause), ("", change.sentence)]
        rows += [("slower" if one.worse else "latency", one.sentence) for one in found.latency]
    rows += [("warning", text) for text in found.warnings]
    rows += [("to settle it", shell_line(command)) for command in _settling(found)]
    rows += [
        (label, f"{one.run.name}, {one.run.started}: {one.headline}")
        for label, one in (("before", found.before), ("after", found.after))
    ]
    lines = [line for label, text in rows for line in labelled(label, text, _COLUMN)]
    return "\n".join(lines) + "\n"


def _settling(found: Comparison) -> list[tuple[str, ...]]:
    """The runs that would settle an open comparison: a new AFTER, or new ones of both."""
    return [run_argv(plan, RunChange(count=count)) for plan, count in found.settling]


def comparison_document(found: Comparison) -> str:
    """One JSON document; a bound that is not finite is null."""
    document = {
        "schema": SCHEMA,
        "change": found.change.value,
        "headline": found.headline,
        "reasons": found.reasons,
        "warnings": found.warnings,
        "needed": found.needed,
        "commands": _settling(found),
        "rates": found.rates,
        "causes": found.causes,
        "latency": [
            {
                "phase": shift.phase.value,
                "percentile": shift.percentile,
                "before_us": shift.before_us,
                "after_us": shift.after_us,
                "difference_us": [shift.low_us, shift.high_us],
                "worse": shift.worse,
            }
            for shift in found.latency
        ],
        "before": {"name": found.before.run.name, "file": found.before.run.file},
        "after": {"name": found.after.run.name, "file": found.after.run.file},
    }
    return escape_json(msgspec.json.format(msgspec.json.encode(document), indent=2).decode()) + "\n"


# The answer of a replay, as text and as JSON: the sentence first, then each combination.

if TYPE_CHECKING:  # much comes with it
    from stress.analysis.compare.replay import Replayed, ReplayResult
    from stress.model.plan import Address, Replay
    from stress.model.run import RunFacts

REPLAY_SCHEMA = "tls-stress/replay/1"
LONGEST = 12
"""Combinations that are shown."""
_REPLAY_COLUMN = 12
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
        lines = [line for label, text in rows for line in labelled(label, text, _REPLAY_COLUMN)]
        return "\n".join(lines) + "\n"

    def document(self) -> str:
        """One JSON document."""
        document = {
            "schema": REPLAY_SCHEMA,
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
