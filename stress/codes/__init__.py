"""Explains the codes that clients report; it never judges a chain."""
