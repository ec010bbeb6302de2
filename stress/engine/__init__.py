"""Opens the handshakes: worker processes, each one Trio loop. It never judges latency or causes.

The door is `stress.engine.fleet.run`. Nothing is imported here, because every worker process pays
for what this file imports.
"""
