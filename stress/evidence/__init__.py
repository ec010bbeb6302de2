"""Writes proof of a recorded run as a folder of files; it never connects to the target."""
