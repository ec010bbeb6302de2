"""Turns claims into sentences that can be forwarded as they are; finds nothing out itself."""
