"""Write and read runs, each one SQLite file; never judge what they hold."""

from stress.store.opening import default_name, locate, reserve, run_files
from stress.store.reader import RunFile, open_run
from stress.store.writer import RunWriter

__all__ = [
    "RunFile",
    "RunWriter",
    "default_name",
    "locate",
    "open_run",
    "reserve",
    "run_files",
]
