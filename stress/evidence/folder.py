"""Writes the evidence folder: packets, timelines, chains and a script for each cause.

Nothing that exists is overwritten, and only the owner may read what is written.
"""

from __future__ import annotations

import os
import ssl
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Final

from stress.errors import UsageError
from stress.evidence import packets
from stress.evidence.redaction import Mask
from stress.evidence.reproduce import FAILING_CHAIN, Script, reproduce
from stress.evidence.selection import Case, cases
from stress.evidence.tls_decode import decode_flights
from stress.handshake.names import cipher_name, group_name, version_name
from stress.model.chain import Refusal, Verdict
from stress.model.outcome import Stage
from stress.model.run import RunFacts, SeenChain
from stress.model.summary import Summary
from stress.model.transcript import Clock, Transcript
from stress.text.datetimes import instant
from stress.text.escape import printable
from stress.trust import describe, differs, name_of

# One failing connection beside its control, flight by flight, as text.

COLUMN: Final = 48
"""Characters of one connection's column."""
_BILLION: Final = 1_000_000_000


def timeline(failing: Transcript, control: Transcript | None) -> str:
    """Both connections, each from its own connect() on; times in microseconds."""
    left = [["FAILING"], _facts(failing), [""], *_events(failing)]
    if control is None:
        right = [["GOOD, its control"], ["none was kept"]]
    else:
        right = [["GOOD, its control"], _facts(control), [""], *_events(control)]
    lines = []
    nothing: list[str] = []
    for one, other in zip_longest(left, right, fillvalue=nothing):
        for left_line, right_line in zip_longest(one, other, fillvalue=""):
            lines.append(f"{left_line:<{COLUMN}}  {right_line}".rstrip())
    return "\n".join([*lines, ""])


def _facts(transcript: Transcript) -> list[str]:
    record = transcript.record
    begun = datetime.fromtimestamp(transcript.dialled_ns // _BILLION, UTC)
    agreed = [
        version_name(record.tls_version) if record.tls_version is not None else "",
        cipher_name(record.cipher) if record.cipher is not None else "",
        group_name(record.key_group) if record.key_group is not None else "",
        f"ALPN {printable(record.alpn)}" if record.alpn else "",
        "resumed" if record.resumed else "",
    ]
    known = record.stage in set(Stage)  # a foreign file may hold any number
    lines = [
        f"attempt {record.id}: {record.outcome}",
        f"reached {Stage(record.stage).label if known else f'stage {record.stage}'}",
        f"{transcript.local_ip} port {record.local_port}",
        f"to {transcript.address}",
        f"{begun:%Y-%m-%d %H:%M:%S}.{transcript.dialled_ns % _BILLION:09d} UTC",
        " ".join(filter(None, agreed)) or "nothing was negotiated",
        f"chain {record.chain.hex()[:12]}" if record.chain else "no chain",
        *([f"TLS library: {printable(record.detail)}"] if record.detail else []),
    ]
    return [part for line in lines for part in _wrapped(line, "")]


def _events(transcript: Transcript) -> list[list[str]]:
    """A paragraph for each event; both columns are aligned by them."""
    record = transcript.record
    if record.connect_ns is None:
        return [[f"{_since(record.total_ns)}  never connected"]]
    events = [[f"{_since(record.connect_ns)}  connected"]]
    for flight, messages in zip(transcript.flights, decode_flights(transcript), strict=True):
        arrow = "-> sent" if flight.sent else "<- read"
        stamp = " (kernel)" if flight.clock is Clock.KERNEL else ""
        since = _since(flight.at_ns - transcript.dialled_ns)
        events.append([f"{since}  {arrow} {len(flight.data):,} bytes{stamp}"])
        events[-1] += [part for message in messages for part in _wrapped(message, " " * 16)]
    if transcript.cut:
        events.append([f"{'':14}  … more was read than was kept"])
    for parting in transcript.partings:
        who, how = "we" if parting.sent else "the server", "RST" if parting.reset else "FIN"
        since = _since(parting.at_ns - transcript.dialled_ns)
        events.append([f"{since}  {who} sent {how}"])
    return events


def _since(nanoseconds: int) -> str:
    return f"{nanoseconds / 1000:+11,.1f} µs"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, COLUMN, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


ORIGIN: Final = "tls-stress"
_WIDTH: Final = 98
_FILES: Final = """\
In each folder, as far as there is anything to put in it:

  failing.pcapng     connections that failed; open it with Wireshark or tshark
  control.pcapng     a good connection for each: same client and address, close in time
  timeline.txt       each failing connection beside its control, step by step
  chain-failing.pem  the chain of the failing connections, in the order sent
  chain-good.pem     the chain of the good connections, in the order sent
  difference.txt     both chains described, and how they differ
  reproduce.sh       run it with sh: repeats the failure with openssl or curl; exit 0 if it shows"""
_HOW: Final = """\
How the packets were made

The packets carry every byte that our own sockets sent and received, with the times at which they
were sent or arrived (the kernel's timestamp where timeline.txt says so). Nothing was captured from
a network. Everything around the bytes is reconstructed: the TCP handshake (at the time of
connect()), sequence numbers, acknowledgements, segments. Retransmissions are not shown."""
_SECRETS: Final = """\
Secrets

The secrets of these test connections are inside the pcapng files, so that the encrypted
certificates of TLS 1.3 can be read: look for "Certificate" below "Handshake Protocol". They
decrypt the handshakes of these connections and nothing else; in TLS 1.3 not even the data after
them. To write a folder without them: tls-stress evidence --share."""
_SHARED: Final = """\
This folder is safe to share: secrets are left out, and documentation addresses replace local ones.
Certificates of TLS 1.3 are therefore encrypted in the pcapng files; find them in the PEM files."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything in a run file that evidence is made from."""

    facts: RunFacts
    summary: Summary
    chains: Sequence[SeenChain]
    verdicts: Sequence[Verdict]
    transcripts: Sequence[Transcript]


def write(folder: Path, dossier: Dossier, *, cause: int | None, share: bool) -> tuple[Path, ...]:
    """Write the evidence of a run; returns the files.

    Args:
        folder: is created with mode 0700; may exist if it is empty.
        dossier: of the run.
        cause: only the cause of this rank; None: all of them.
        share: leave out secrets, local addresses and names, so that the folder can be shared.

    Raises:
        UsageError: there is nothing to write, no such cause, or the folder is in use.
    """
    facts, summary = dossier.facts, dossier.summary
    if not summary.failures.count:
        raise UsageError(
            f"nothing failed in the run {facts.name}, so there is no evidence to write",
            "To see what was tested: tls-stress report.",
        )
    if not dossier.transcripts:
        raise UsageError(
            f"the run {facts.name} holds no evidence: no connection was kept byte for byte",
            "It was turned off by evidence-per-signature = 0 or evidence-bytes = 0.",
        )
    found = cases(dossier.transcripts, summary.causes, facts.plan)
    chosen = [case for case in found if cause is None or case.number == cause]
    if not chosen:
        numbers = ", ".join(str(case.number) for case in found) or "none"
        raise UsageError(
            f"--cause: the run {facts.name} has no cause {cause}", f"There are: {numbers}."
        )

    mask = Mask(dossier.transcripts, facts.plan) if share else None
    trust = facts.plan.trust
    files: dict[str, str | bytes] = {"README.txt": readme(facts, summary, chosen, shared=share)}
    if trust.private and trust.anchors:
        files["anchors.pem"] = pem(trust.anchors)
    for case in chosen:
        shown = case if mask is None else mask.case(case)
        for name, content in _case_files(shown, dossier).items():
            files[f"{case.name}/{name}"] = content

    _claim(folder)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if isinstance(content, str):
            text = mask.text(content) if mask else content
            content = text.encode("utf-8", "backslashreplace")  # noqa: PLW2901 - text becomes bytes
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
    return tuple(folder / name for name in files)


def readme(facts: RunFacts, summary: Summary, cases: Sequence[Case], *, shared: bool) -> str:
    """`README.txt`: what the folder holds, how it was made, and how to read it.

    Args:
        facts: of the run.
        summary: its answer.
        cases: what the folder holds.
        shared: without what is private.
    """

    def filled(text: str, indent: str = "  ") -> str:
        text = printable(text, 4000)
        return textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)

    begun = datetime.fromtimestamp(facts.started_ns // _BILLION, UTC)
    source = "" if shared else f", from {printable(facts.host)}"
    parts = [
        "Evidence of failing TLS handshakes",
        filled(summary.headline, ""),
        filled(
            f"Tested: {printable(str(facts.plan.target))} on {begun:%Y-%m-%d} from "
            f"{begun:%H:%M:%S} UTC on{source}, "
            f"SNI {printable(facts.plan.server_name or 'none')}.",
            "",
        ),
    ]
    for case in cases:
        cause, kept = case.cause, f"{len(case.pairs)} failing connections are kept here."
        if cause is None:
            sentences = [f"{case.category}, not explained. {kept}"]
        else:
            sentences = [f"{cause.sentence} {kept}"]
            sentences += [f"Likely: {each.text}" for each in cause.likely[:2]]
            sentences += [f"Fix: {cause.fix}"] if cause.fix else []
        parts.append("\n".join([f"{case.name}/", *map(filled, sentences)]))
    parts += [_FILES, _HOW, _SHARED if shared else _SECRETS]
    if any(pair.failing.record.chain for case in cases for pair in case.pairs):
        anchors = "-CAfile ../anchors.pem " if facts.plan.trust.private else ""
        commands = [
            f"  openssl verify -show_chain {anchors}-untrusted {file} {file}"
            for file in (FAILING_CHAIN, "chain-good.pem")
        ]
        head = (
            "To verify a chain with openssl alone, in a folder (the first certificate is the leaf):"
        )
        parts.append("\n".join([head, "", *commands]))
    return "\n\n".join(parts) + "\n"


def pem(certificates: Sequence[bytes]) -> str:
    """The certificates as PEM, in the order sent; nothing else, so that files can be compared."""
    return "".join(ssl.DER_cert_to_PEM_cert(der) for der in certificates)


def difference(
    good: tuple[bytes, ...] | None, bad: tuple[bytes, ...], problems: Sequence[str]
) -> str:
    """Both chains certificate by certificate, and the difference in a sentence.

    Args:
        good: the chain of a good connection; None: no good chain was seen.
        bad: the chain in question.
        problems: what is wrong with it.
    """
    lines = ["The failing chain, as sent:", "", *_described(bad)]
    if problems:
        lines += ["", "What is wrong with it:", *(f"  - {printable(each)}" for each in problems)]
    if good is None:
        lines += ["", "No good chain was seen to compare it with."]
    else:
        change = differs(good, bad) or "no difference: the same chain was good elsewhere"
        lines += ["", "The good chain, as sent:", "", *_described(good)]
        lines += ["", f"What differs: {change}."]
    return "\n".join([*lines, ""])


def _described(certificates: Sequence[bytes]) -> list[str]:
    lines = []
    for position, der in enumerate(certificates):
        facts = describe(der)
        lines.append(f"  {position}  {name_of(der)}")
        if facts.unreadable:
            lines.append(f"     cannot be read: {printable(facts.unreadable)}")
            continue
        lines += [
            f"     subject  {printable(facts.subject)}",
            f"     issuer   {printable(facts.issuer)}",
            f"     serial   {facts.serial[:64]}",
            f"     valid    {instant(facts.not_before)} to {instant(facts.not_after)}",
            f"     key      {facts.key}, signed with {facts.signature}",
            f"     sha256   {facts.sha256.hex()}",
        ]
    return lines or ["  (no certificate)"]


def _case_files(case: Case, dossier: Dossier) -> dict[str, str | bytes]:
    """What one case's folder holds; nothing when no failing connection of it was kept."""
    if not case.pairs:
        return {}
    first, cause = case.pairs[0], case.cause
    files: dict[str, str | bytes] = {}
    controls = {pair.control.record.id: pair.control for pair in case.pairs if pair.control}
    for kind, transcripts in (
        ("failing", [pair.failing for pair in case.pairs]),
        ("control", list(controls.values())),
    ):
        captured = [packet for each in transcripts for packet in packets.packets(each)]
        secrets = list(dict.fromkeys(line for each in transcripts for line in each.secrets))
        if captured:
            captured.sort(key=lambda packet: packet.at_ns)
            comment = f"{case.category}: {kind} connections"
            files[f"{kind}.pcapng"] = packets.write(
                captured, secrets, origin=ORIGIN, comment=comment
            )
    rule = f"\n{'-' * _WIDTH}\n\n"
    files["timeline.txt"] = rule.join(timeline(pair.failing, pair.control) for pair in case.pairs)

    address = str(first.failing.address)
    sentences = [f"Repeats the failure: {case.category} at {address}."]
    sentences += [cause.sentence] if cause else []
    share = _failure_rate_at(case, address, dossier.summary)
    script = Script(first.failing, share, dossier.facts.plan, sentences)
    files["reproduce.sh"] = reproduce(script)

    chains = {chain.sha256: chain.certificates for chain in dossier.chains}
    bad = chains.get(first.failing.record.chain or b"")
    good = chains.get((first.control and first.control.record.chain) or b"")
    if bad:
        problems = [
            f"{finding.category.value}: {finding.detail} (policy {verdict.policy})"
            for verdict in dossier.verdicts
            if verdict.chain == first.failing.record.chain
            for finding in verdict.findings
            if finding.refusal is not Refusal.NO
        ]
        files[FAILING_CHAIN] = pem(bad)
        files["difference.txt"] = difference(good, bad, list(dict.fromkeys(problems)))
    if good:
        files["chain-good.pem"] = pem(good)
    return files


def _failure_rate_at(case: Case, address: str, summary: Summary) -> float:
    """The fraction of attempts at an address that failed like this, rounded down where unsure.

    A cause's own rate is of the attempts that met its mechanism, such as a chain, which a client
    cannot choose; it can choose the address.
    """
    cause, attempts = case.cause, summary.attempts
    failures = summary.failures.categories.get(case.category, 0)
    if cause is not None:
        failures = cause.failures
        if any((one.dimension, one.value) == ("address", address) for one in cause.conditions):
            attempts = sum(one.attempts for one in summary.addresses if one.address == address)
    return failures / attempts if attempts else 0.0


def _claim(folder: Path) -> None:
    """Create the folder, or find it empty, and close it to everybody but the owner."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(
                f"--out: the folder {folder} is not empty, and nothing is overwritten",
                "Name another folder, or empty this one first.",
            )
        folder.chmod(0o700)
    except FileExistsError:
        raise UsageError(f"--out: {folder} is a file, not a folder") from None
    except OSError as error:
        raise UsageError(
            f"--out: the folder {folder} cannot be used: {error.strerror}",
            "Its parent must exist and be writable.",
        ) from error
