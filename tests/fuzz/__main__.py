"""Fuzzes one target with atheris, guided by coverage: `python -m tests.fuzz records [options]`.

Options are libFuzzer's, such as `-max_total_time=600`. What crashes is kept as a file.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Fuzz until the time is over or something raises."""
    name, *options = sys.argv[1:]
    atheris = importlib.import_module("atheris")  # not among the development tools: 35 MB
    with atheris.instrument_imports(include=["stress"]):
        from tests.fuzz.targets import TARGETS, seeds  # noqa: PLC0415 - instrumented

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds(name)):
            Path(folder, f"seed-{number}").write_bytes(seed)
        atheris.Setup([sys.argv[0], folder, "-max_len=20000", *options], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
