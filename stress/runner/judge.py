"""Judges a chain by each client family, without a network: behind `judge` and `stress.judge`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from stress.errors import UsageError
from stress.model.plan import NO_POLICY

if TYPE_CHECKING:
    from stress.report.judgement import Judgement


def judge_chain(
    certificates: Iterable[bytes],
    host: str,
    *,
    at: str | None = None,
    policy: str | None = None,
    ca: str | None = None,
    stores: str | None = None,
) -> Judgement:
    """Return what each client family says of a chain.

    Args:
        certificates: DER, in the order in which a server sends them; read once everything else
            was checked.
        host: name or address that the client asked for.
        at: a date, an RFC 3339 time or `+30d`; None: now.
        policy: judge by this trust policy alone; None: by all.
        ca: PEM file of trust anchors to use instead of the clients' own root stores.
        stores: file of the clients' root stores, instead of those shipped.

    Raises:
        UsageError: a value is wrong, or a file cannot be read.
    """
    from stress.planning.targets import literal, reference_name  # noqa: PLC0415 - heavy
    from stress.planning.trust_options import policy_name  # noqa: PLC0415 - heavy
    from stress.report.judgement import Judgement  # noqa: PLC0415 - heavy
    from stress.text.units import moment, option  # noqa: PLC0415 - heavy
    from stress.trust import Judge, load_anchors, open_stores, policy_names  # noqa: PLC0415 - heavy
    from stress.trust.policy import find_policy  # noqa: PLC0415 - heavy

    now = int(time())
    name = option("--host", lambda text: literal(text) or reference_name(text), host) or ""
    chosen = option("--policy", policy_name, policy)
    if chosen == NO_POLICY:
        raise UsageError("the policy none judges nothing", "Leave --policy out for all of them.")
    names = [one for one in policy_names() if one != NO_POLICY and not find_policy(one).families]
    if chosen is not None:
        names = list(find_policy(chosen).families) or [chosen]
    when = option("--at", lambda text: moment(text, now), at)
    when = now if when is None else when
    anchors = load_anchors(Path(ca) if ca is not None else None)
    known = open_stores(Path(stores) if stores is not None else None)
    by = Judge(anchors, stores=known, machine=stores is None)
    sent = tuple(certificates)
    verdicts = {one: by.judge(sent, host=name, at=when, policy=one) for one in names}
    source = f"the anchors in {ca}" if ca else f"the clients' root stores of {known.made}"
    return Judgement(name, when, sent, verdicts, by.missing(sent, when), source)


MOST_BYTES = 4_000_000
"""Of a file of certificates; no chain is longer."""


def read_certificates(path: Path, shown: str) -> tuple[bytes, ...]:
    """Return the certificates of a PEM or DER file, in their order.

    Raises:
        UsageError: it cannot be read, is too large, or holds no certificate.
    """
    try:
        with path.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise UsageError(f"cannot read {shown}: {reason}") from error
    return parse_certificates(data, shown)


def parse_certificates(data: bytes, shown: str) -> tuple[bytes, ...]:
    """Return the certificates in PEM or DER, in their order.

    Raises:
        UsageError: they are too large, or there is none.
    """
    from stress.trust.anchors import certificates_of  # noqa: PLC0415 - heavy

    if len(data) > MOST_BYTES:
        raise UsageError(f"{shown} is larger than {MOST_BYTES // 1_000_000} MB: no chain is")
    return certificates_of(data, shown)
