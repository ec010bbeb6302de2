"""Checks our own side while a run goes on: what of the client could distort the measurement."""
