"""Reads a recorded run: latency by outcome with NumPy, and each chain as every client judges it."""

import sys

import numpy as np

import stress

with stress.open(sys.argv[1]) as run:
    columns = run.arrays("outcome", "handshake_ns")
    for outcome in np.unique(columns["outcome"]):
        took = columns["handshake_ns"][columns["outcome"] == outcome].compressed() / 1e6
        print(f"{outcome}: {len(took)} handshakes, p99 {np.percentile(took, 99):.1f} ms")
    host = run.summary().run.server_name
    for chain in run.chains():
        judged = stress.judge(chain.certificates, host, ca="ca.pem")
        refusing = [name for name, one in judged.verdicts.items() if one.headline is not None]
        print(f"chain {chain.sha256.hex()[:12]}: refused by {', '.join(refusing) or 'nobody'}")
