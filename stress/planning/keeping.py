"""How much of what passes on the wire is kept as evidence, read into `Keeping`."""

from __future__ import annotations

from stress.model.plan import Keeping
from stress.planning.request import Request
from stress.planning.units import count, option, size_bytes

_DEFAULT = Keeping()


def keeping_of(request: Request) -> Keeping:
    """Read the bounds of the evidence; 0 keeps none.

    Raises:
        UsageError: a bound is no count, or no size.
    """
    first = option("evidence-per-signature", count, request.evidence_per_signature)
    most = option("evidence-bytes", size_bytes, request.evidence_bytes)
    return Keeping(
        _DEFAULT.per_signature if first is None else first,
        _DEFAULT.total_bytes if most is None else most,
    )
