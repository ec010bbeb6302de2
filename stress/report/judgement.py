"""What each client family says of a chain in files, as text and as JSON (`tls-stress judge`)."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stress.codes.catalog import POLICY_OF, client_views, message
from stress.model.chain import Refusal, Verdict
from stress.report.explanation import WIDTH, labelled
from stress.report.wording.clients import store_versions
from stress.text.escape import escape_json, printable, with_letters
from stress.text.units import instant
from stress.trust import CertificateFacts, describe, known_of

SCHEMA: Final = "tls-stress/judge/1"
_WORDS = {Refusal.NO: "accepts", Refusal.SOMETIMES: "sometimes", Refusal.YES: "refuses"}
_VIEWS = {policy: family for family, policy in reversed(tuple(POLICY_OF.items()))} | {
    "go-1.19": "go",
    "gnutls": "gnutls",
    "java-21": "java-21",
    "node": "node",
    "openssl-strict": "python-3.13",
    "python-3.13": "python-3.13",
}
"""Policy -> the client whose messages stand for it."""
_ALIKE = {"java-21": "java-17", "python-3.13": "python"}
"""A client -> the family whose general message stands where its own was not measured."""
_COLUMN: Final = 16


@dataclass(frozen=True, slots=True)
class Judgement:
    """One chain, and the verdict of each family."""

    host: str
    at: int
    """Unix seconds."""
    certificates: tuple[bytes, ...]
    """DER, as sent."""
    verdicts: Mapping[str, Verdict]
    """By the name of the policy."""
    missing: tuple[CertificateFacts, ...]
    """What would complete the chain, in the order to send after it."""
    anchors: str
    """By which anchors the families judge, in words."""

    @property
    def accepted(self) -> bool:
        """Whether every family accepts it, in every version in use."""
        return all(verdict.headline is None for verdict in self.verdicts.values())


def judgement_document(found: Judgement) -> str:
    """One JSON document, safe to print to a terminal."""
    families = {
        name: {
            "verdict": _WORDS[verdict.refusal],
            "category": verdict.headline.category.value if verdict.headline else None,
            "reports": _reports(name, verdict, found.certificates),
            "findings": [
                {
                    "category": one.category.value,
                    "position": one.position,
                    "detail": one.detail,
                    "refusal": one.refusal.value,
                    "versions": one.versions,
                }
                for one in verdict.findings
            ],
        }
        for name, verdict in found.verdicts.items()
    }
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "host": found.host,
        "at": instant(found.at),
        "chain": [describe(der).sha256.hex() for der in found.certificates],
        "anchors": found.anchors,
        "families": families,
        "missing": [
            {
                "subject": printable(one.subject),
                "issuer": printable(one.issuer),
                "sha256": one.sha256.hex(),
                "pem": ssl.DER_cert_to_PEM_cert(one.der),
            }
            for one in found.missing
        ],
    }
    return escape_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def render_judgement(found: Judgement, width: int = WIDTH) -> str:
    """The same as text: the chain, each family, and what is missing, as PEM."""
    whose = f"for {with_letters(printable(found.host))} at {instant(found.at)}, by {found.anchors}"
    lines = [*labelled("", f"The chain in the order sent, judged {whose}:", 0, width), ""]
    for position, der in enumerate(found.certificates):
        lines += labelled(f"  {position}", _described(describe(der)), 4, width)
    lines.append("")
    for name, verdict in found.verdicts.items():
        word, reports = _WORDS[verdict.refusal], _reports(name, verdict, found.certificates)
        lines += labelled(f"{name}:", f"{word}; {reports}" if reports else word, _COLUMN, width)
        for finding in verdict.findings:
            note = "note, " if finding.refusal is Refusal.NO else ""
            where = "" if finding.position is None else f" (certificate {finding.position})"
            text = f"{note}{finding.category.value}{where}: {finding.detail}"
            first, *others = labelled("", text, _COLUMN + 2, width)
            lines += [f"{first[:_COLUMN]}- {first[_COLUMN + 2 :]}", *others]
    versions = store_versions(found.verdicts.values())
    lines += ["", *labelled("By version:", versions, _COLUMN, width)] if versions else []
    for number, one in enumerate(found.missing, len(found.certificates)):
        what = f"{_described(one)}, SHA-256 {one.sha256.hex()}"
        lines += ["", *labelled("Missing:", f"certificate {number}, {what}", _COLUMN, width), ""]
        lines += ssl.DER_cert_to_PEM_cert(one.der).splitlines()
    return "\n".join(lines) + "\n"


def _reports(name: str, verdict: Verdict, certificates: tuple[bytes, ...]) -> str:
    """What a client of this family shows; empty where it accepts."""
    if verdict.headline is None or name not in _VIEWS:
        return ""
    category, client = verdict.headline.category.value, _VIEWS[name]
    known = known_of(certificates, verdict)
    words = message(client, category, known)
    if words is not None:
        return words
    views = client_views(category, known)
    alike = views.get(_ALIKE.get(client, client))
    return alike.reports if alike else ""


def _described(facts: CertificateFacts) -> str:
    if facts.unreadable:
        return f"cannot be parsed: {printable(facts.unreadable)}"
    valid = f"valid {instant(facts.not_before)[:10]} to {instant(facts.not_after)[:10]}"
    return f"{printable(facts.subject)}, issued by {printable(facts.issuer)}, {valid}"
