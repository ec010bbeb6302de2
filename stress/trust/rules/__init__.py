"""What a policy asks of a path of certificates, one kind of rule a module."""
