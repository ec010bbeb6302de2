"""Who is asked: the target, its addresses, and what they stand for now."""
