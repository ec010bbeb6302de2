"""What clients say when they refuse, and what it means; never judges a chain."""
