"""Opens the connections from worker processes, one Trio loop each; never judges latency or causes.

The entry point is `stress.engine.coordinator.run`. Nothing is imported here, because every worker
process pays for what this file imports.
"""
