"""Text for people: escapes, formats and matches it; never decides what is said."""
