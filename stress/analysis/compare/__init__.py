"""Decides whether it is fixed, from two runs or a replay; never compares different setups."""
