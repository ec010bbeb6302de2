"""Writes who sees the failures: what was measured for each client, and what each family shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stress.model.claims import FailureCount
from stress.model.outcome import ClientView
from stress.model.plan import Client
from stress.text.numbers import of

MEASURED = "Measured:"
_MOST_CLIENTS = 4
_ANSWERS = (("yes", "Fails for"), ("sometimes", "Sometimes for"), ("no", "Not for"))


def who_sees(views: Mapping[str, ClientView]) -> str:
    """Which client families fail, with the codes their users see; those that fail come first."""
    parts = []
    everybody = len(views) > 1 and all(view.fails == "yes" for view in views.values())
    for answer, words in _ANSWERS:
        named = [
            f"{family} ({view.reports})" if view.reports and answer != "no" else family
            for family, view in views.items()
            if view.fails == answer
        ]
        if named:
            who = "every client: " if everybody else ""
            parts.append(f"{words} {who}{', '.join(named)}.")
    return " ".join(parts)


def met_by(clients: Sequence[Client], counts: Mapping[int, FailureCount]) -> str:
    """What this run measured for each of its clients, those that failed first; empty for one."""
    if len(clients) < 2:
        return ""
    failed = sorted(
        (index for index, count in counts.items() if count.failures and index < len(clients)),
        key=lambda index: -counts[index].failures / counts[index].attempts,
    )
    others = [count for index, count in counts.items() if index not in failed[:_MOST_CLIENTS]]
    parts = [
        f"{of(counts[one].failures, counts[one].attempts)} as {clients[one].name}"
        for one in failed[:_MOST_CLIENTS]
    ]
    if others:
        rest = (sum(one.failures for one in others), sum(one.attempts for one in others))
        parts.append(f"{of(*rest)} as {'others' if parts else 'any'}")
    return f"{MEASURED} {', '.join(parts)}."
