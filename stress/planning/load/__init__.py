"""How much is asked, how fast and in which shape; never starts it."""
