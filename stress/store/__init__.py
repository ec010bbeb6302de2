"""Write, read and export runs, each one SQLite file; never judge what they hold."""

from stress.store.export import Format, export_run
from stress.store.reader import RunFile, open_run
from stress.store.run_directory import default_name, locate, reserve
from stress.store.writer import RunWriter

__all__ = [
    "Format",
    "RunFile",
    "RunWriter",
    "default_name",
    "export_run",
    "locate",
    "open_run",
    "reserve",
]
