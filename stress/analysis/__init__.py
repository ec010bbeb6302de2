"""Turns what a recorded run answers into a `Summary`; never reads a clock, file or socket."""

from __future__ import annotations

from stress.analysis.summary import summarize

__all__ = ["summarize"]
