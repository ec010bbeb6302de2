"""Performs a run from a finished plan to a finished run file; never parses options or prints."""
