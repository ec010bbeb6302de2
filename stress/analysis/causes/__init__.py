"""What failures have in common and since when; claims nothing that chance alone explains."""
