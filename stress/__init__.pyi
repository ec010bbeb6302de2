from stress.api import Plan as Plan
from stress.api import RecordedRun as RecordedRun
from stress.api import isolate as isolate
from stress.api import judge as judge
from stress.api import open_ as open  # noqa: A004
from stress.api import run as run
from stress.api import run_async as run_async
from stress.errors import RecordError as RecordError
from stress.errors import RunFileError as RunFileError
from stress.errors import StressError as StressError
from stress.errors import UsageError as UsageError

__version__: str
__all__ = [
    "Plan",
    "RecordError",
    "RecordedRun",
    "RunFileError",
    "StressError",
    "UsageError",
    "isolate",
    "judge",
    "open",
    "run",
    "run_async",
]
