"""`tls-stress judge`: what each client family says of a chain in files, without a network."""

from __future__ import annotations

import sys
from pathlib import Path
from time import time
from typing import Annotated, Final

import typer

from stress.cli import console
from stress.cli.options import option_of
from stress.errors import ExitCode, UsageError
from stress.model.plan import NO_POLICY

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE…",
        help="PEM or DER, in the order in which the server sends them; - is stdin.",
        show_default=False,
    ),
]
Host = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="NAME",
        help="Name or address that the client asked for.",
        show_default=False,
    ),
]
Ca = Annotated[
    str | None,
    option_of("ca", "PEM file of trust anchors to use instead of the clients' own root stores."),
]
Stores = Annotated[str | None, option_of("stores")]
At = Annotated[str | None, option_of("at", "Judge as of TIME: a date, an RFC 3339 time or +30d.")]
Policy = Annotated[
    str | None, option_of("policy", "Judge by this trust policy alone. [default: all of them]")
]
Json = Annotated[bool, option_of("json", "Print the verdicts as one JSON document.")]

_MOST_BYTES: Final = 4_000_000


def judge(
    file: Files,
    host: Host,
    ca: Ca = None,
    stores: Stores = None,
    at: At = None,
    policy: Policy = None,
    json: Json = False,  # noqa: FBT002 - typer makes a switch of it
) -> int:
    """Say what each client family thinks of a chain in files, offline.

    Each family judges by its own root store and says which versions refuse the chain; a missing
    certificate that is known is printed. Exits 0 when all families accept it, else 1.

    Examples:
        tls-stress judge chain.pem --host app.example.com
        tls-stress judge leaf.der intermediate.der --host app.example.com --at +30d --json
    """
    from stress.planning.targets import literal, reference_name
    from stress.planning.trust_options import policy_name
    from stress.report.judgement import (
        Judgement,
        judgement_document,
        render_judgement,
    )
    from stress.text.datetimes import moment
    from stress.text.units import option
    from stress.trust import Judge, load_anchors, open_stores, policy_names
    from stress.trust.policy import find_policy

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
    certificates = tuple(der for one in file for der in _read(one))
    anchors = load_anchors(Path(ca) if ca is not None else None)
    known = open_stores(Path(stores) if stores is not None else None)
    by = Judge(anchors, stores=known, machine=stores is None)
    verdicts = {one: by.judge(certificates, host=name, at=when, policy=one) for one in names}
    found = Judgement(
        name,
        when,
        certificates,
        verdicts,
        by.missing(certificates, when),
        f"the anchors in {ca}" if ca else f"the clients' root stores of {known.made}",
    )
    console.print_data(
        judgement_document(found) if json else render_judgement(found, console.width(sys.stdout))
    )
    return ExitCode.CLEAN if found.accepted else ExitCode.FAILING


def _read(name: str) -> tuple[bytes, ...]:
    """The certificates of one file.

    Raises:
        UsageError: it cannot be read, is too large, or holds no certificate.
    """
    from stress.trust.anchors import certificates_of

    try:
        if name == "-":
            data = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(name).open("rb") as opened:
                data = opened.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise UsageError(f"cannot read {name}: {reason}") from error
    shown = "standard input" if name == "-" else name
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{shown} is larger than {_MOST_BYTES // 1_000_000} MB: no chain is")
    return certificates_of(data, shown)
