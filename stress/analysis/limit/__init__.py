"""How much the target can take: the search for the highest rate at which a goal still holds."""
