"""Runs against a target and prints what the failing connections have in common."""

import sys

import stress

target, *addresses = sys.argv[1:]
with stress.run(target, count=160, address=addresses, ca="ca.pem", name="found") as run:
    summary = run.summary()
print(summary.headline)
for cause in summary.causes:
    print(f"{cause.failures} of {cause.attempts}: {cause.sentence}")
sys.exit(0 if summary.verdict == "clean" else 1)
