"""Two runs side by side, as text and as JSON: what changed first, then what that rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stress.model.claims import RunChange
from stress.model.plan import Address, Plan, Role
from stress.model.run import RunFacts
from stress.planning.run_command import run_argv
from stress.report.document import json_document
from stress.report.explanation import WIDTH, labelled_lines
from stress.text.numbers import counted, percent, seconds

if TYPE_CHECKING:  # numpy and scipy come with it
    from stress.analysis.compare.compare import Comparison
    from stress.analysis.compare.replay import Replayed, ReplayResult

SCHEMA = "tls-stress/comparison/1"
_COLUMN = 16


def render_comparison(found: Comparison, width: int = WIDTH) -> str:
    """The answer, what became of each cause, the latencies, and both runs by their headlines."""
    rows: list[tuple[str, str | tuple[str, ...]]] = [(found.change.value, found.headline)]
    if not found.reasons:
        for change in found.causes:
            rows += [("cause", change.cause), ("", change.sentence)]
        rows += [("slower" if one.worse else "latency", one.sentence) for one in found.latency]
    rows += [("warning", text) for text in found.warnings]
    rows += [("to settle it", command) for command in _settling(found)]
    rows += [
        (label, f"{one.run.name}, {one.run.started}: {one.headline}")
        for label, one in (("before", found.before), ("after", found.after))
    ]
    return labelled_lines(rows, _COLUMN, width)


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
    return json_document(document)


# The answer of a replay, as text and as JSON: the sentence first, then each combination.

REPLAY_SCHEMA = "tls-stress/replay/1"
LONGEST = 12
"""Combinations that are shown."""
_REPLAY_COLUMN = 12
_CHOICES = ("address", "client", "source", "local_port")


def replay_words(plan: Plan) -> str:
    """What a replay sends: single combinations, or the recorded load, and why."""
    replay, load = plan.replay, plan.load
    assert replay is not None
    if not replay.at_load:
        return (
            f"{counted(replay.round_size, 'combination')} in random order,"
            f" {counted(replay.rounds, 'round')}, {replay.gap_s:g} s between the rounds"
        )
    if load.segments:
        offered = "the same steps of the rate"
    elif load.rate is not None:
        offered = f"{load.rate:,.12g}/s"
    else:
        offered = f"{load.concurrency:,} at once"
    held = f", each held {seconds(load.hold_s)}" if load.hold_s else ""
    resumed = f", {percent(plan.resumption)} resumed" if plan.resumption else ""
    return (
        f"the recorded load again ({counted(load.count or 0, 'handshake')}, {offered}{held}"
        f"{resumed}), because these failures may depend on it"
    )


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
        assert facts.plan.replay is not None
        self._facts, self._replay, self._addresses = facts, facts.plan.replay, addresses
        self._found, self._answer = found, answer

    def text(self, width: int = WIDTH) -> str:
        """For a reader at a terminal."""
        replay = self._replay
        failed = [one for one in self._found if one.combination.role is Role.FAILED]
        how = f"{replay_words(self._facts.plan)}; counted as failed: {', '.join(replay.endings)}"
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
        return labelled_lines(rows, _REPLAY_COLUMN, width)

    def document(self) -> str:
        """One JSON document."""
        document = {
            "schema": REPLAY_SCHEMA,
            "answer": self._answer.answer.value,
            "sentence": self._answer.sentence,
            "p_value": self._answer.p_value,
            "replayed": self._replay.run,
            "cause": self._replay.cause,
            "how": replay_words(self._facts.plan),
            "run": {"name": self._facts.name, "file": self._facts.file},
            "combinations": [self._fields(one) for one in self._found],
        }
        return json_document(document)

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
