"""Whether it is fixed: two runs side by side, and the failing combinations tried again."""
