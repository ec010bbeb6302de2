"""Reads and writes text for people: amounts, times, words, TOML; never decides on content."""
