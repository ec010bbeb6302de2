"""How much is asked, how fast, in which shape, and how long one attempt may take."""
