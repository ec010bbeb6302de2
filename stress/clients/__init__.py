"""Client profiles: reads and shows them, and makes them from captures; never connects."""
