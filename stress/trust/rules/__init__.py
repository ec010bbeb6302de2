"""Checks a path against a policy, one kind of rule per module; it never builds the path."""
