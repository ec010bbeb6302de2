"""What the failing connections have in common, since when, and what is likely behind it."""
