"""The scenarios, one file for each kind of fault; a scenario never reads a report."""
