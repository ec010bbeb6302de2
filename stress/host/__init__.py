"""What this machine is and allows: limits, ports, shipped files; it never sends a packet."""
