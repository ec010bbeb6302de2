"""`README.txt`: what lies in the folder, how it was made, and how to look at it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from stress.evidence.selection import Case
from stress.model.run import RunFacts
from stress.model.summary import Summary
from stress.trust import printable

WIDTH: Final = 98
_BILLION: Final = 1_000_000_000
_FILES: Final = (
    ("failing.pcapng", "connections that failed; open it with Wireshark or tshark"),
    ("control.pcapng", "good connections of the same address and client, as near in time as kept"),
    ("timeline.txt", "each failing connection beside its good one, step by step"),
    ("chain-failing.pem", "the certificates of the failing connections, in the order sent"),
    ("chain-good.pem", "the certificates that the good ones got, in the order sent"),
    ("difference.txt", "both chains in words, and what sets them apart"),
    ("reproduce.sh", "asks again with openssl or curl: sh reproduce.sh; exit 0: it showed"),
)
_HOW = """\
The packets carry the bytes that our own sockets sent and read, all of them, with the times at which
they were sent or arrived (the kernel's stamp where timeline.txt says so). Nothing was captured from
a network. What is around the bytes is made up to carry them: the TCP handshake (at the time of
connect()), sequence numbers, acknowledgements, segments; no retransmission is shown."""
_SECRETS = """\
The secrets of these test connections are inside the pcapng files, so that the encrypted
certificates of TLS 1.3 can be read: look for "Certificate" below "Handshake Protocol". They open
the handshakes of these connections and nothing else; in TLS 1.3 not even the data after them.
tls-stress evidence --share writes a folder without them."""
_SHARED = """\
This folder may be mailed: secrets and local addresses are left out (documentation addresses stand
for the latter). Certificates of TLS 1.3 are therefore encrypted in the pcapng files; they are in
the PEM files."""


def readme(facts: RunFacts, summary: Summary, cases: Sequence[Case], *, shared: bool) -> str:
    """The whole text.

    Args:
        facts: of the run.
        summary: its answer.
        cases: what the folder holds.
        shared: without what is private.
    """
    begun = datetime.fromtimestamp(facts.started_ns // _BILLION, UTC)
    where = "" if shared else f", from {printable(facts.host)}"
    parts = [
        "Evidence of failing TLS handshakes",
        _filled(summary.headline),
        _filled(
            f"Asked: {printable(str(facts.plan.target))} on {begun:%Y-%m-%d} from "
            f"{begun:%H:%M:%S} UTC on{where}, SNI {printable(facts.plan.server_name or 'none')}."
        ),
        *(part for case in cases for part in _case(case)),
        "In each folder, where there is something to put in it:",
        "\n".join(f"  {name:<18} {about}" for name, about in _FILES),
        "How the packets were made\n\n" + _HOW,
        _SHARED if shared else "Secrets\n\n" + _SECRETS,
    ]
    if any(pair.failing.record.chain for case in cases for pair in case.pairs):
        parts.append(_verify(private=facts.plan.trust.private))
    return "\n\n".join(parts) + "\n"


def _case(case: Case) -> Iterator[str]:
    cause = case.cause
    kept = f"{len(case.pairs)} failing connections are kept here."
    if cause is None:
        yield f"{case.name}/\n" + _filled(f"{case.category}, not explained. {kept}", "  ")
        return
    lines = [f"{case.name}/", _filled(f"{cause.sentence} {kept}", "  ")]
    lines += [_filled(f"Likely: {each}", "  ") for each in cause.likely[:2]]
    lines += [_filled(f"Fix: {cause.fix}", "  ")] if cause.fix else []
    yield "\n".join(lines)


def _verify(*, private: bool) -> str:
    anchors = "-CAfile ../anchors.pem " if private else ""
    command = "openssl verify -show_chain {}-untrusted {} {}"
    return (
        "To judge a chain by openssl alone, in a folder (the first certificate is the leaf):\n\n  "
        + command.format(anchors, "chain-failing.pem", "chain-failing.pem")
        + "\n  "
        + command.format(anchors, "chain-good.pem", "chain-good.pem")
    )


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(
        printable(text, 4000), WIDTH, initial_indent=indent, subsequent_indent=indent
    )
