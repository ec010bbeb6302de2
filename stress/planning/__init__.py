"""Turns options into a `Plan` and checks everything first; never sends a packet but DNS queries."""
