"""Renders a Summary as text, JSON or a progress line; decides nothing and computes nothing new."""

from stress.report.document import DocumentReport, schema
from stress.report.form import Report
from stress.report.progress import Manner, ProgressLine
from stress.report.terminal import Colour, TerminalReport

__all__ = [
    "Colour",
    "DocumentReport",
    "Manner",
    "ProgressLine",
    "Report",
    "TerminalReport",
    "schema",
]
