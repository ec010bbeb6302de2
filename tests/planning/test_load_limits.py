from __future__ import annotations

import pytest

from stress.errors import UsageError
from stress.model.plan import Limits
from stress.planning.load import limits_of
from stress.planning.request import Request


def test_limits_have_defaults() -> None:
    assert limits_of(Request()) == Limits()


@pytest.mark.parametrize(
    ("request_", "limits"),
    [
        (
            Request(timeout="30s"),
            Limits(attempt_s=30, connect_s=30, hello_s=30, handshake_s=30),
        ),
        (
            Request(timeout="100ms"),
            Limits(0.1, connect_s=0.1, hello_s=0.1, handshake_s=0.1),
        ),
        (
            Request(timeout="5s", connect_timeout="1s", hello_timeout="2s", handshake_timeout="9s"),
            Limits(5, connect_s=1, hello_s=2, handshake_s=5),
        ),
        (Request(after_handshake="0"), Limits(after_handshake_s=0)),
        (Request(after_handshake="1s"), Limits(after_handshake_s=1)),
    ],
)
def test_a_stage_takes_the_whole_attempt_unless_limited(request_: Request, limits: Limits) -> None:
    assert limits_of(request_) == limits


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(timeout="0"), "--timeout"),
        (Request(timeout="never"), "--timeout"),
        (Request(connect_timeout="0s"), "connect-timeout"),
        (Request(hello_timeout="x"), "hello-timeout"),
        (Request(handshake_timeout="-1s"), "handshake-timeout"),
        (Request(after_handshake="x"), "after-handshake"),
    ],
)
def test_a_limit_that_would_end_everything_is_refused(request_: Request, says: str) -> None:
    with pytest.raises(UsageError, match=f"^{says}: "):
        limits_of(request_)
