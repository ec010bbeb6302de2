"""Renders a Summary as text, JSON or a progress line; decides nothing and computes nothing new."""

from stress.report.document import DocumentReport, Report, schema
from stress.report.terminal import TerminalReport

__all__ = [
    "DocumentReport",
    "Report",
    "TerminalReport",
    "schema",
]
