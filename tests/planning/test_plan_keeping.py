from __future__ import annotations

import pytest

from stress.errors import UsageError
from stress.model.plan import Keeping
from stress.planning.plan import keeping_of
from stress.planning.request import Request


@pytest.mark.parametrize(
    ("request_", "keeping"),
    [
        (Request(), Keeping()),
        (Request(evidence_per_signature="2"), Keeping(per_signature=2)),
        (Request(evidence_per_signature=0), Keeping(per_signature=0)),
        (Request(evidence_bytes="1MB"), Keeping(total_bytes=1_000_000)),
        (Request(evidence_bytes=0), Keeping(total_bytes=0)),
    ],
)
def test_evidence_is_bounded_by_default_and_as_told(request_: Request, keeping: Keeping) -> None:
    assert keeping_of(request_) == keeping


@pytest.mark.parametrize(
    "request_", [Request(evidence_per_signature="some"), Request(evidence_bytes="some")]
)
def test_a_bound_that_is_none_is_refused_by_its_key(request_: Request) -> None:
    with pytest.raises(UsageError, match="evidence-"):
        keeping_of(request_)
