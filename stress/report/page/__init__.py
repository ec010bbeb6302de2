"""Renders a recorded run as one self-contained HTML page; never fetches or decides anything."""

from stress.report.page.page import PageReport

__all__ = ["PageReport"]
