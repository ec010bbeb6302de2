"""What we raise when we or the user are at fault: message, hint, exit code.

What the *target* does is never an exception; it is an `Outcome` (see `stress.model.outcome`).
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The named exit codes of the command line (documented in the README's table)."""

    CLEAN = 0
    FAILING = 1
    USAGE = 2
    INCONCLUSIVE = 3
    INVALID = 4
    INTERRUPTED = 130


class StressError(Exception):
    """Something that the user or we can mend.

    Args:
        message: what was wrong, with the offending value.
        hint: what to do about it; shown after a blank line.
    """

    exit_code = ExitCode.INVALID

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(StressError):
    """A bad option, profile, target or file. Nothing has been sent."""

    exit_code = ExitCode.USAGE


class RunFileError(UsageError):
    """A run file that is missing, is none, is damaged, or has another schema."""


class RecordError(StressError):
    """The record could not be written, so the run can no longer be trusted to be complete."""


class LabError(StressError):
    """The lab could not be started on this machine."""
