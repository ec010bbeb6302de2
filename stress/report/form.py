"""The door for every form of the answer: a `Report` renders a `Summary`."""

from __future__ import annotations

from typing import Protocol

from stress.model.summary import Summary


class Report(Protocol):
    """One form of the answer. A new form is a class with this method, and its line in the docs."""

    def render(self, summary: Summary) -> str:
        """The whole document, ending in a newline. Reads no clock, no file, no environment."""
