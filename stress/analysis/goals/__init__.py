"""Decides whether a goal holds by what was sampled: yes, no, or not known; never guesses."""
