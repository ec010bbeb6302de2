"""Read records that are not ours (CSV, JSON lines, Parquet) into the columns of a cube.

`read` takes files and a `Choice` (which rows failed, which column is the time, which are
dimensions) and returns `stress.model.run.Records`. Nothing here searches, or writes a file.
"""

from stress.records.reading import Choice, read

__all__ = ["Choice", "read"]
