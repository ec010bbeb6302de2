"""Writes the evidence folder: packets, timelines, chains and a script for each cause.

Nothing that exists is overwritten, and only the owner may read what is written.
"""

from __future__ import annotations

import math
import os
import ssl
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from shlex import quote
from typing import Final

from stress.codes.names import NAMES
from stress.errors import UsageError
from stress.evidence import packets
from stress.evidence.redaction import Mask
from stress.evidence.selection import Case, cases
from stress.evidence.tls_decode import events, stage_words
from stress.model.chain import Refusal, Verdict
from stress.model.outcome import Kind, Outcome, Stage
from stress.model.plan import Client, Plan, ProxyScheme
from stress.model.run import RunFacts, SeenChain
from stress.model.summary import Summary
from stress.model.transcript import Transcript
from stress.text.escape import printable
from stress.text.numbers import some
from stress.text.templates import template
from stress.text.units import instant
from stress.trust.reading.certificate import CertificateFacts, describe, name_of
from stress.trust.reading.description import differs

COLUMN: Final = 48
"""Characters of one connection's column in a timeline."""
_BILLION: Final = 1_000_000_000
_WIDTH: Final = 98
_MOST_NAMES: Final = 6
"""Names of a certificate that are shown."""


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
    begun = datetime.fromtimestamp(facts.begun_ns // _BILLION, UTC)
    source = "" if shared else f", from {facts.host}"
    return template(__package__, "README.txt.jinja", printable, fill=_filled).render(
        summary=summary,
        tested=f"Tested: {facts.plan.target} on {begun:%Y-%m-%d} from {begun:%H:%M:%S} UTC on"
        f"{source}, SNI {facts.plan.server_name or 'none'}.",
        cases=cases,
        shared=shared,
        secrets=[one for one in facts.vantages if one.secrets],
        private=facts.plan.trust.private,
        chains=any(pair.failing.record.chain for case in cases for pair in case.pairs),
    )


def _filled(text: str, indent: str = "  ") -> str:
    """A paragraph of the text, indented; of printable characters only."""
    lines = textwrap.wrap(
        printable(text, 4000), _WIDTH, initial_indent=indent, subsequent_indent=indent
    )
    return "\n".join(lines)


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
        lines.append(f"  {position}  {name_of(der)}")
        lines += [
            f"     {label:<8} {printable(value, 2000)}"
            for label, value in certificate_lines(describe(der))
        ]
    return lines or ["  (no certificate)"]


def certificate_lines(facts: CertificateFacts) -> Iterator[tuple[str, str]]:
    """What a certificate says, as labels and values; the values may hold any character."""
    if facts.unreadable:
        yield "cannot be read", facts.unreadable
        return
    yield "subject", facts.subject or "none"
    yield "issuer", facts.issuer or "none"
    if facts.sans:
        yield "names", some(facts.sans, _MOST_NAMES)
    yield "valid", f"{instant(facts.not_before)} to {instant(facts.not_after)}"
    yield "serial", facts.serial
    yield "key", f"{facts.key}, signed with {facts.signature}"
    yield "SHA-256", facts.sha256.hex()


def refusals(verdicts: Sequence[Verdict], chain: bytes | None) -> list[str]:
    """What is wrong with a chain, once each, with the policies that refuse it for that."""
    policies: dict[str, list[str]] = {}
    for verdict in verdicts:
        for finding in verdict.findings if verdict.chain == chain else ():
            if finding.refusal is not Refusal.NO:
                words = f"{finding.category.value}: {finding.detail}"
                policies.setdefault(words, []).append(verdict.policy)
    return [f"{words} ({', '.join(dict.fromkeys(those))})" for words, those in policies.items()]


def timeline(failing: Transcript, control: Transcript | None) -> str:
    """Both connections flight by flight, each from its own connect() on; in microseconds."""
    left, right = _column("FAILING", failing), _column("GOOD (control)", control)
    lines = []
    nothing: list[str] = []
    for one, other in zip_longest(left, right, fillvalue=nothing):
        for left_line, right_line in zip_longest(one, other, fillvalue=""):
            lines.append(f"{left_line:<{COLUMN}}  {right_line}".rstrip())
    return "\n".join([*lines, ""])


def _column(title: str, transcript: Transcript | None) -> list[list[str]]:
    """A connection as paragraphs; those of both columns are aligned."""
    if transcript is None:
        return [[title], ["none was recorded"]]
    record = transcript.record
    begun = datetime.fromtimestamp(transcript.dialled_ns // _BILLION, UTC)
    agreed = [
        *(
            name(number)
            for attribute, name in NAMES.items()
            if (number := getattr(record, attribute)) is not None
        ),
        *([f"ALPN {printable(record.alpn)}"] if record.alpn else []),
        *(["resumed"] if record.resumed else []),
    ]
    facts = [
        f"attempt {record.id}: {record.outcome}",
        stage_words(record),
        f"{transcript.local_ip} port {record.local_port}",
        f"to {transcript.address}",
        f"{begun:%Y-%m-%d %H:%M:%S}.{transcript.dialled_ns % _BILLION:09d} UTC",
        " ".join(agreed) or "nothing was negotiated",
        f"chain {record.chain.hex()[:12]}" if record.chain else "no chain",
        *([f"TLS library: {printable(record.detail)}"] if record.detail else []),
    ]
    paragraphs = [[title], [part for fact in facts for part in _wrapped(fact, "")], [""]]
    for event in events(transcript):
        since = " " * 14 if event.since_us is None else f"{event.since_us:+11,.1f} µs"
        messages = (part for line in event.lines for part in _wrapped(line, " " * 16))
        paragraphs.append([f"{since}  {event.title}", *messages])
    return paragraphs


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, COLUMN, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


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
            files[f"{kind}.pcapng"] = packets.write(captured, secrets, comment=comment)
    rule = f"\n{'-' * _WIDTH}\n\n"
    files["timeline.txt"] = rule.join(timeline(pair.failing, pair.control) for pair in case.pairs)

    address = str(first.failing.address)
    sentences = [f"Repeats the failure: {case.category} at {address}."]
    sentences += [cause.sentence] if cause else []
    share = _failure_rate_at(case, address, dossier.summary)
    files["reproduce.sh"] = reproduce(first.failing, share, dossier.facts.plan, sentences)

    chains = {chain.sha256: chain.certificates for chain in dossier.chains}
    bad = chains.get(first.failing.record.chain or b"")
    good = chains.get((first.control and first.control.record.chain) or b"")
    if bad:
        problems = refusals(dossier.verdicts, first.failing.record.chain)
        files["chain-failing.pem"] = pem(bad)
        from stress.trust import Anchors, Judge  # noqa: PLC0415 - only here, and heavy

        trust, begun_ns = dossier.facts.plan.trust, dossier.facts.started_ns
        judge = Judge(Anchors(trust.anchors, trust.anchors_from, trust.private))
        for certificates in chains.values():
            judge.meet(certificates)
        missing = judge.missing(bad, begun_ns // _BILLION if trust.at is None else trust.at)
        if missing:
            files["missing.pem"] = pem([one.der for one in missing])
        files["difference.txt"] = difference(good, bad, problems)
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
                f"--out: the directory {folder} is not empty, and nothing is overwritten",
                "Name another directory, or empty this one first.",
            )
        folder.chmod(0o700)
    except FileExistsError:
        raise UsageError(f"--out: {folder} is a file, not a directory") from None
    except OSError as error:
        raise UsageError(
            f"--out: the directory {folder} cannot be used: {error.strerror}",
            "Its parent must exist and be writable.",
        ) from error


# `reproduce.sh` repeats a failure with nothing but openssl or curl.
#
# * People trust the tools they know. The script connects as they would by hand, to the fixed
#   address, often enough to hit the failure with 99.9% probability, and exits 0 as soon as it does.
# * A chain is recognised by being the same, byte for byte, as the PEM file beside the script;
#   whether a tool would trust it does not matter, so verification is off.
# * A handshake that fails is recognised by its alert, or by not having finished.
# * The text may come from a stranger's run file: every value in the template is quoted
#   (`shlex.quote`), except in comments, where it is made printable and single-line.
# * Through SOCKS 5 only curl can go. Together with STARTTLS neither can; the script says so.
# * Only openssl can ask for TLS first in every protocol (STARTTLS); then curl is left out.
# * POSIX sh and awk; openssl 1.1.1, curl 7.88 (for `%{certs}`) or newer.

_MISSED: Final = 0.001
"""Probability of never hitting the failure although its rate is unchanged."""
_MOST_TRIES: Final = 10_000
_VERSIONS: Final = {0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}


def reproduce(failing: Transcript, share: float, plan: Plan, sentences: Sequence[str]) -> str:
    """The whole text of the script.

    Args:
        failing: a connection that failed.
        share: the failure rate at its address, as a fraction.
        plan: of the run.
        sentences: comments at the head.
    """
    record, address = failing.record, failing.address
    outcome = Outcome.parse(record.outcome)
    known = 0 <= record.client < len(plan.clients)
    client = plan.clients[record.client] if known else Client("unknown")
    name = plan.server_name if client.server_name else None
    ip = f"[{address.ip}]" if ":" in address.ip else address.ip
    wrapped = [line for one in sentences for line in textwrap.wrap(printable(one, 2000), 96)]
    return template(__package__, "reproduce.sh.jinja", quote, comment=printable).render(
        comments=wrapped,
        client=client,
        record=record,
        plan=plan,
        tries=tries(share),
        by_chain=outcome.kind is Kind.TRUST and record.chain is not None,
        outcome=outcome,
        # What an alert after the handshake says arrives only if openssl waits for it.
        # openssl asks a proxy by CONNECT alone; the scheme of curl leaves names to the proxy.
        by_openssl=plan.proxy is None or plan.proxy.scheme is ProxyScheme.HTTP,
        curl_proxy=plan.proxy and str(plan.proxy).replace("socks5:", "socks5h:"),
        pause=int(record.stage == Stage.AFTER_HANDSHAKE),
        address=address,
        ip=ip,
        name=name,
        host=name or ip,  # curl sends no SNI where the URL has an address
        versions=sorted({_VERSIONS[one] for one in client.versions if one in _VERSIONS}),
    )


def tries(share: float) -> int:
    """How many attempts hit a failure of this rate with 99.9% probability."""
    if share >= 1:
        return 3
    if share <= 0:
        return _MOST_TRIES
    return min(_MOST_TRIES, max(3, math.ceil(math.log(_MISSED) / math.log1p(-share))))
