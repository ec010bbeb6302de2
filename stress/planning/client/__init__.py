"""Who asks: client profiles, the files they are in, and those made from a packet capture."""
