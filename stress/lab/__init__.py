"""The faulty farm of TLS servers on loopback: serves planted faults, never judges a run."""
