"""Finds what failures have in common and since when; never claims what chance alone explains."""
