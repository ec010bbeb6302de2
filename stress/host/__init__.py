"""Describes this machine: limits, ports, addresses, clocks, shipped files; never sends a packet."""
