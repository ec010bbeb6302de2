"""Who is asked: the target and its addresses; sends nothing but DNS queries."""
