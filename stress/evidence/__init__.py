"""Hands over proof of a recorded run as a folder of files; it never asks the target anything."""
