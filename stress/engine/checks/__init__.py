"""Checks of our own doing while a run goes on: what could have touched the measurement."""
