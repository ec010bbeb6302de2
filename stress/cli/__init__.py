"""Parses words, calls the rooms, prints, and exits with a named code; it calculates nothing."""
