"""The faulty farm of TLS servers on loopback: plays what goes wrong, never judges what was seen."""
