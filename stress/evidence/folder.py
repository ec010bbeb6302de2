"""Writes the folder of evidence. What exists is never overwritten; nobody else may read it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stress.errors import UsageError
from stress.evidence import chains, frames, pcapng, readme
from stress.evidence.reproduce import FAILING_CHAIN, Script, reproduce
from stress.evidence.selection import Case, Pair, cases
from stress.evidence.sharing import Mask
from stress.evidence.timeline import timeline
from stress.model.run import RunFacts, SeenChain
from stress.model.summary import Summary
from stress.model.transcript import Transcript
from stress.model.verdict import Refusal, Verdict

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
        about = readme.readme(facts, self.dossier.summary, self.cases, shared=self.share)
        trust = facts.plan.trust
        texts = {"README.txt": about}
        if trust.private and trust.anchors:
            texts["anchors.pem"] = chains.pem(trust.anchors)
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
            packets = [packet for each in transcripts for packet in frames.packets(each)]
            secrets = list(dict.fromkeys(line for each in transcripts for line in each.secrets))
            if packets:
                packets.sort(key=lambda packet: packet.at_ns)
                comment = f"{case.category}: {name.removesuffix('.pcapng')} connections"
                yield name, pcapng.write(packets, secrets, origin=ORIGIN, comment=comment)

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
            yield FAILING_CHAIN, chains.pem(bad)
            yield "difference.txt", chains.difference(good, bad, self._problems(pair.failing))
        if good:
            yield "chain-good.pem", chains.pem(good)

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
