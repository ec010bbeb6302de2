"""An explanation of codes as text: what each says, what all say together, and how to find out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from stress.text.escape import escape

if TYPE_CHECKING:  # the tables behind it are loaded when something is explained
    from stress.codes.explain import Explained, Explanation, Unknown
    from stress.model.summary import ClientView

WIDTH = 100
_INDENT = "    "


def render_explanation(answer: Explanation, views: Mapping[str, ClientView]) -> str:
    """The whole answer.

    Args:
        answer: what was found in the user's text.
        views: what each client shows, where the answer is a single ending; else empty.
    """
    return "\n".join(_lines(answer, views)) + "\n"


def _lines(answer: Explanation, views: Mapping[str, ClientView]) -> Iterator[str]:
    for one in answer.found:
        yield from _found(one)
    for stranger in answer.unknown:
        yield from _unknown(stranger)
    yield from _labelled("Together:" if len(answer.found) > 1 else "That is:", answer.conclusion)
    for sentence in answer.leaves_open:
        yield from _labelled("Open:", sentence)
    if answer.categories:
        yield from _labelled("Can be:", ", ".join(answer.categories))
    for name, view in views.items():
        yield from _labelled(f"{name}:", f"{_FAILS[view.fails]}; {view.reports}")
    yield from _labelled("Find out:", answer.command)


_FAILS = {"yes": "fails", "no": "does not fail", "sometimes": "fails sometimes"}


def _found(one: Explained) -> Iterator[str]:
    shown = f"{one.text}  {one.name}" if one.text not in one.name else one.name
    yield from _wrapped(f"{shown}, {one.family}", "")
    yield from _wrapped(one.meaning, _INDENT)
    yield ""


def _unknown(stranger: Unknown) -> Iterator[str]:
    near = f" Near it: {', '.join(stranger.nearest)}." if stranger.nearest else ""
    yield from _wrapped(f"{stranger.text} is in no table that is known here.{near}", "")
    yield ""


def _labelled(label: str, text: str) -> Iterator[str]:
    yield from _wrapped(f"{label:<16}{text}", "", " " * 16)


def _wrapped(text: str, first: str, rest: str | None = None) -> Iterator[str]:
    yield from textwrap.wrap(
        escape(text, longest=4000),
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_on_hyphens=False,
    )
