"""Who asks: client profiles, their files, and those made from a capture; never connects."""
