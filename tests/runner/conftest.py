"""The farm, the recorded run and the command line of `tests/cli`."""

from tests.cli.conftest import ask, farm, farm_words, listener, run_file, spawn

__all__ = ["ask", "farm", "farm_words", "listener", "run_file", "spawn"]
