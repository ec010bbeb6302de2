"""Turns what a recorded run answers into a `Summary`; never reads a clock, file or socket."""
