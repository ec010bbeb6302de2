"""`tls-stress judge`: what each client family says of a chain in files, without a network."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from stress.cli import console
from stress.cli.options import option_of
from stress.errors import ExitCode

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


def judge(
    file: Files,
    host: Host,
    ca: Ca = None,
    stores: Stores = None,
    at: At = None,
    policy: Policy = None,
    json: Json = False,  # noqa: FBT002 - typer makes a switch of it
) -> int:
    """Judge a chain in files as each client family would, offline.

    Each family judges by its own root store and says which versions refuse the chain; a missing
    certificate that is known is printed. Exits 0 when all families accept it, else 1.

    Examples:
        tls-stress judge chain.pem --host app.example.com
        tls-stress judge leaf.der intermediate.der --host app.example.com --at +30d --json
    """
    from stress.report.judgement import judgement_document, render_judgement
    from stress.runner.judge import judge_chain

    found = judge_chain(_read(file), host, at=at, policy=policy, ca=ca, stores=stores)
    console.print_data(
        judgement_document(found) if json else render_judgement(found, console.width(sys.stdout))
    )
    return ExitCode.CLEAN if found.accepted else ExitCode.FAILING


def _read(names: list[str]) -> Iterator[bytes]:
    """The certificates of all files, one after the other."""
    from stress.runner.judge import MOST_BYTES, parse_certificates, read_certificates

    for name in names:
        if name == "-":
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
            yield from parse_certificates(data, "standard input")
        else:
            yield from read_certificates(Path(name), name)
