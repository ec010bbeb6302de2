"""Writes the folder of evidence. What exists is never overwritten; nobody else may read it."""

from __future__ import annotations

import os
import ssl
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from stress.errors import UsageError
from stress.evidence import packets
from stress.evidence.redaction import Mask
from stress.evidence.reproduce import FAILING_CHAIN, Script, reproduce
from stress.evidence.selection import Case, Pair, cases
from stress.evidence.timeline import timeline
from stress.model.run import RunFacts, SeenChain
from stress.model.summary import Summary
from stress.model.transcript import Transcript
from stress.model.verdict import Refusal, Verdict
from stress.text.datetimes import instant
from stress.text.escape import printable
from stress.trust import describe, differs, name_of

# `README.txt`: what lies in the folder, how it was made, and how to look at it.

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
    lines += [_filled(f"Likely: {each.text}", "  ") for each in cause.likely[:2]]
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


# Chains as PEM in the order sent, and what sets a bad one apart from a good one, in words.


def pem(certificates: Sequence[bytes]) -> str:
    """The certificates as PEM, in the order sent; nothing else, so that files can be compared."""
    return "".join(ssl.DER_cert_to_PEM_cert(der) for der in certificates)


def difference(
    good: tuple[bytes, ...] | None, bad: tuple[bytes, ...], problems: Sequence[str]
) -> str:
    """Both chains certificate by certificate, and the difference in a sentence.

    Args:
        good: what most others got; None: no good chain was seen.
        bad: the chain in question.
        problems: what is wrong with it, in words.
    """
    lines = ["The failing chain, as it was sent:", "", *_listed(bad)]
    if problems:
        lines += ["", "What is wrong with it:", *(f"  - {printable(each)}" for each in problems)]
    if good is None:
        return "\n".join([*lines, "", "No good chain was seen to compare it with.", ""])
    words = differs(good, bad) or "no difference: the same chain was good elsewhere"
    lines += ["", "The good chain, as it was sent:", "", *_listed(good)]
    return "\n".join([*lines, "", f"What differs: {words}.", ""])


def _listed(certificates: Sequence[bytes]) -> list[str]:
    lines = []
    for place, der in enumerate(certificates):
        facts = describe(der)
        lines.append(f"  {place}  {name_of(der)}")
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


ORIGIN: Final = "tls-stress"
_RULE = f"\n{'-' * 98}\n\n"


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is known about a run, as its file tells it."""

    facts: RunFacts
    summary: Summary
    chains: Sequence[SeenChain]
    verdicts: Sequence[Verdict]
    transcripts: Sequence[Transcript]


def write(folder: Path, dossier: Dossier, *, cause: int | None, share: bool) -> tuple[Path, ...]:
    """Write the evidence of a run; returns the files.

    Args:
        folder: made with mode 0700; may exist when it is empty.
        dossier: of the run.
        cause: only the cause of this rank; None: all of them.
        share: leave out secrets, local addresses and names, so that it can be mailed.

    Raises:
        UsageError: there is nothing to write, no such cause, or the folder is in use.
    """
    found = _chosen(dossier, cause)
    files = dict(_Writer(dossier, found, share=share).files())
    return _put(folder, files)


def _chosen(dossier: Dossier, cause: int | None) -> tuple[Case, ...]:
    name = dossier.facts.name
    if not dossier.summary.failures.count:
        raise UsageError(
            f"nothing failed in the run {name}, so there is no failure to prove",
            "To see what was asked: tls-stress report.",
        )
    if not dossier.transcripts:
        raise UsageError(
            f"the run {name} holds no evidence: no connection was kept byte for byte",
            "It was turned off by evidence-per-signature = 0 or evidence-bytes = 0.",
        )
    found = cases(dossier.transcripts, dossier.summary.causes, dossier.facts.plan)
    chosen = tuple(case for case in found if cause is None or case.number == cause)
    if not chosen:
        numbers = ", ".join(str(case.number) for case in found) or "none"
        raise UsageError(f"--cause: the run {name} has no cause {cause}", f"There are: {numbers}.")
    return chosen


@dataclass(slots=True)
class _Writer:
    """Makes the texts of all files."""

    dossier: Dossier
    cases: tuple[Case, ...]
    share: bool

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Name and content."""
        facts = self.dossier.facts
        mask = Mask(self.dossier.transcripts, facts.plan) if self.share else None
        about = readme(facts, self.dossier.summary, self.cases, shared=self.share)
        trust = facts.plan.trust
        texts = {"README.txt": about}
        if trust.private and trust.anchors:
            texts["anchors.pem"] = pem(trust.anchors)
        for case in self.cases:
            shown = _masked(case, mask)
            texts |= {f"{case.name}/{name}": text for name, text in self._texts(shown)}
            for name, data in self._captures(shown):
                yield f"{case.name}/{name}", data
        for name, text in texts.items():
            yield name, (mask.text(text) if mask else text).encode("utf-8", "backslashreplace")

    def _captures(self, case: Case) -> Iterator[tuple[str, bytes]]:
        controls = {pair.control.record.id: pair.control for pair in case.pairs if pair.control}
        kinds = {
            "failing.pcapng": [pair.failing for pair in case.pairs],
            "control.pcapng": list(controls.values()),
        }
        for name, transcripts in kinds.items():
            captured = [packet for each in transcripts for packet in packets.packets(each)]
            secrets = list(dict.fromkeys(line for each in transcripts for line in each.secrets))
            if captured:
                captured.sort(key=lambda packet: packet.at_ns)
                comment = f"{case.category}: {name.removesuffix('.pcapng')} connections"
                yield name, packets.write(captured, secrets, origin=ORIGIN, comment=comment)

    def _texts(self, case: Case) -> Iterator[tuple[str, str]]:
        if case.pairs:
            yield "timeline.txt", _RULE.join(timeline(p.failing, p.control) for p in case.pairs)
            yield "reproduce.sh", reproduce(self._script(case, case.pairs[0].failing))
            yield from self._chains(case.pairs[0])

    def _script(self, case: Case, failing: Transcript) -> Script:
        cause = case.cause
        share = _share_at(case, str(failing.address), self.dossier.summary)
        said = f"Asks again for what failed: {case.category} at {failing.address}."
        sentences = [said] if cause is None else [said, cause.sentence]
        return Script(failing, share, self.dossier.facts.plan, sentences, shared=self.share)

    def _chains(self, pair: Pair) -> Iterator[tuple[str, str]]:
        known = {chain.sha256: chain.certificates for chain in self.dossier.chains}
        bad = known.get(pair.failing.record.chain or b"")
        control = pair.control.record.chain if pair.control is not None else None
        good = known.get(control or b"")
        if bad:
            yield FAILING_CHAIN, pem(bad)
            yield "difference.txt", difference(good, bad, self._problems(pair.failing))
        if good:
            yield "chain-good.pem", pem(good)

    def _problems(self, failing: Transcript) -> list[str]:
        found = [
            f"{finding.category.value}: {finding.detail} (policy {verdict.policy})"
            for verdict in self.dossier.verdicts
            if verdict.chain == failing.record.chain
            for finding in verdict.findings
            if finding.refusal is not Refusal.NO
        ]
        return list(dict.fromkeys(found))


def _share_at(case: Case, address: str, summary: Summary) -> float:
    """The share of attempts at an address that failed like this, rather too small than too large.

    A cause's own share is of those that met its mechanism, such as a chain, which nobody can ask
    for; what can be chosen is the address.
    """
    cause = case.cause
    failures = summary.failures.categories.get(case.category, 0)
    attempts = summary.attempts
    if cause is not None:
        failures = cause.failures
        places = {one.value for one in cause.conditions if one.dimension == "address"}
        if address in places:
            attempts = sum(one.attempts for one in summary.addresses if one.address == address)
    return failures / attempts if attempts else 0.0


def _masked(case: Case, mask: Mask | None) -> Case:
    if mask is None:
        return case
    pairs = tuple(
        Pair(mask.transcript(each.failing), each.control and mask.transcript(each.control))
        for each in case.pairs
    )
    return replace(case, pairs=pairs)


def _put(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    _claim(folder)
    written = []
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(data)
        written.append(path)
    return tuple(written)


def _claim(folder: Path) -> None:
    """Make the folder, or find it empty, for its owner alone."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(
                f"--out: the folder {folder} is not empty, and nothing is overwritten",
                "Name another one, or empty it first.",
            )
        folder.chmod(0o700)
    except FileExistsError:
        raise UsageError(f"--out: {folder} is a file, not a folder") from None
    except OSError as error:
        raise UsageError(
            f"--out: the folder {folder} cannot be used: {error.strerror}",
            "Its parent must exist and be writable.",
        ) from error
