"""Whether it is fixed, from two runs or from a replay; never compares what was asked otherwise."""
