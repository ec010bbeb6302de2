"""What a policy asks of a path, one kind of rule a module; never builds the path."""
