"""How long an attempt and each of its stages may take, read into `Limits`."""

from __future__ import annotations

from stress.model.plan import Limits
from stress.planning.request import Request
from stress.planning.units import duration_s, option, positive_duration_s

_DEFAULT = Limits()


def limits_of(request: Request) -> Limits:
    """Read the time limits; a stage without one of its own may take the whole attempt's.

    Raises:
        UsageError: a limit is no duration, or zero where that would end every attempt.
    """
    attempt = option("--timeout", positive_duration_s, request.timeout) or _DEFAULT.attempt_s
    after = option("after-handshake", duration_s, request.after_handshake)
    return Limits(
        attempt_s=attempt,
        connect_s=_stage("connect-timeout", request.connect_timeout, attempt),
        hello_s=_stage("hello-timeout", request.hello_timeout, attempt),
        handshake_s=_stage("handshake-timeout", request.handshake_timeout, attempt),
        after_handshake_s=_DEFAULT.after_handshake_s if after is None else min(after, attempt),
    )


def _stage(name: str, text: str | None, attempt_s: float) -> float:
    seconds = option(name, positive_duration_s, text)
    return attempt_s if seconds is None else min(seconds, attempt_s)
