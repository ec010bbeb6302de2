"""Renews `stress/trust/stores.db`: the root stores of client families, and known intermediates.

    python scripts/root_stores.py root_stores.json root_certificates.pem known_intermediates.pem

The JSON holds, for each root, the versions of each family's store that have it (`roots`,
`families.<family>.looked_at`), with rules that refuse young leaves; the two PEM files hold the
certificates. What a client trusts is a name and a key: certificates that share both are merged.
`stress/trust/stores.py` describes the file that is written.
"""

# ruff: noqa: INP001 - a script is not a package

from __future__ import annotations

import argparse
import json
import re
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stress.trust.reading.certificate import CertificateFacts, describe
from stress.trust.stores import Distrust, Span, StoredCertificate, Stores, StoresWriter

TARGET = Path(__file__).resolve().parent.parent / "stress" / "trust" / Stores.FILE
LINES = {"mozilla": "main", "java": "11"}
"""Of families with several release lines, the one that is carried: versions of different lines
cannot be compared, and the other lines get the same roots at about the same time."""
FAMILIES = ("apple", "android", "chrome", "mozilla", "java", "debian", "certifi")
"""The families that a policy judges by. Roots of all others are carried, too: their names are
known."""
JAVA_DISTRUST = {
    "SYMANTEC_TLS": r"O=(GeoTrust|thawte|VeriSign|Symantec)",
    "ENTRUST_TLS": r"Entrust|AffirmTrust",
    "CAMERFIRMA_TLS": r"Camerfirma|camerfirma",
    "CHUNGHWA_TLS": r"ePKI Root",
}
"""jdk.security.caDistrustPolicies: which roots each of them is about, by their subjects."""
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Family:
    """The versions of one family's store that were looked at, oldest first."""

    names: Sequence[str]
    """As in the JSON."""
    shown: Sequence[str]
    """As in reports."""

    def place(self, name: str | None, default: int) -> int:
        """The place of a version; of one that was not looked at, that of the next."""
        if name is None:
            return default
        if name in self.names:
            return self.names.index(name)
        later = (i for i, one in enumerate(self.names) if _number(one) >= _number(name))
        return next(later, len(self.names))


def _chrome(version: str) -> str:
    return f"Chrome {version.partition('.')[0]}"


def _number(name: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", name)]


def families(data: Mapping[str, Any]) -> dict[str, Family]:
    """The versions of every family that is carried."""
    found = {}
    for name in FAMILIES:
        line = LINES.get(name)
        looked = [one for one in data["families"][name]["looked_at"] if one.get("line") == line]
        if name == "chrome":  # its rules name the version that began with them
            ruled = {
                _chrome(rule["min_version"])
                for root in data["roots"].values()
                for held in root["stores"].get(name, ())
                for rule in held.get("constraint", ())
            }
            named = ruled | {one["version"] for one in looked}
            looked = [{"version": one} for one in sorted(named, key=_number)]
        if name == "apple":  # releases without a known iOS are older than anything in use
            looked = [one for one in looked if one.get("ios")]
            shown = [f"{one['ios']} ({one['version']})" for one in looked]
        else:
            shown = [
                re.sub(r"^(Android|Chrome|NSS|Java|ca-certificates|v) ?", "", one["version"])
                for one in looked
            ]
        found[name] = Family([one["version"] for one in looked], shown)
    return found


def spans_of(
    root: Mapping[str, Any], family: str, versions: Family, java: Mapping[str, Any]
) -> Iterator[Span]:
    """When one certificate is in the store of one family, and under which rule."""
    count = len(versions.names)
    for held in root["stores"].get(family, ()):
        if held.get("line") != LINES.get(family):
            continue
        first = _first_place(held, versions)
        end = versions.place(held["until"], count)
        if first >= end:
            continue
        cuts = [(first, Distrust.NONE, 0)]
        for rule in held.get("constraint", ()):
            least = rule.get("min_version")
            since = _chrome(least) if least else rule["from"]
            kind = Distrust.TIMESTAMPS if "sct_not_after" in rule else Distrust.ISSUED
            after = rule.get("sct_not_after") or rule["not_before_after"]
            cuts.append((max(first, versions.place(since, count)), kind, _moment(after)))
        if family == "java":
            for name, pattern in JAVA_DISTRUST.items():
                if re.search(pattern, root["subject"]):
                    since = _version_in(java[name]["since"])
                    moment = _moment(java[name]["after"])
                    cuts.append((max(first, versions.place(since, count)), Distrust.ISSUED, moment))
        cuts.sort(key=lambda cut: cut[0])
        for (begin, kind, after), (stop, *_) in zip(cuts, [*cuts[1:], (end,)], strict=True):
            if begin < stop:
                yield Span(begin, stop, kind, after)


def _first_place(held: Mapping[str, Any], versions: Family) -> int:
    # An Apple release without a known iOS lies before all that are carried.
    if held["since"] is None or held["since"] not in versions.names:
        before = held["since"] is None or _number(held["since"]) < _number(versions.names[0])
        return 0 if before else versions.place(held["since"], len(versions.names))
    return versions.place(held["since"], 0)


def _version_in(text: str) -> str:
    """`Java 11.0.3`; a date in the tree of a line is the release after the one that is named."""
    found = re.search(r"Java 11[\d.]*", text)
    if found:
        return found.group()
    after = re.search(r"after (11\.0\.)(\d+)", text)
    assert after is not None, text
    return f"Java {after[1]}{int(after[2]) + 1}"


def _moment(text: str) -> int:
    """Unix seconds of a time, or of the end of a day."""
    if "T" in text:
        return int(datetime.fromisoformat(text).timestamp())
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) + _DAY - 1


def merged(parts: Sequence[Sequence[Span]], count: int) -> tuple[Span, ...]:
    """The spans of several certificates of one name and key: a version trusts what any allows."""
    states: list[tuple[Distrust, int] | None] = []
    for place in range(count):
        here = [one for part in parts for one in part if one.since <= place < one.until]
        # No rule is the most that can be allowed; of two rules, the later date.
        best = max(here, key=lambda one: (not one.rule, one.after), default=None)
        states.append((best.rule, best.after) if best else None)
    found = list[Span]()
    begin = 0
    for place in range(1, count + 1):
        if place == count or states[place] != states[begin]:
            state = states[begin]
            if state is not None:
                found.append(Span(begin, place, *state))
            begin = place
    return tuple(found)


def certificates(file: Path) -> list[CertificateFacts]:
    """The certificates of a PEM file, each once."""
    ders = [b64decode(body) for body in _PEM.findall(file.read_text("utf-8"))]
    return [describe(der) for der in dict.fromkeys(ders)]


def main() -> None:
    """Read the three inputs and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("stores", "roots", "known"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args()
    data = json.loads(options.stores.read_text("utf-8"))
    versions = families(data)
    java = data["families"]["java"]["tls_distrust_policies"]

    groups: dict[tuple[object, bytes], list[CertificateFacts]] = {}
    for facts in certificates(options.roots):
        groups.setdefault((facts.subject_name.normal, facts.spki), []).append(facts)
    revoked = {one["sha256"] for one in data["lets_encrypt"]["certificates"] if one.get("revoked")}

    writer = StoresWriter(made=data["made"])
    for family, held in versions.items():
        writer.family(family, held.shown)
    for group in groups.values():
        rows = [data["roots"][one.sha256.hex()] for one in group]
        spans = {
            family: merged([[*spans_of(row, family, held, java)] for row in rows], len(held.names))
            for family, held in versions.items()
        }
        # The one that is valid longest stands for all of them.
        best = max(group, key=lambda one: (one.not_after, one.sha256))
        writer.add(StoredCertificate(best, {one: found for one, found in spans.items() if found}))

    known = {one.sha256: one for one in certificates(options.known)}
    chrome = data["families"]["chrome"]["additional_trust_anchors"]["by_version"]
    newest = versions["chrome"].names[-1]
    place = versions["chrome"].names.index(newest)
    anchors = {one["sha256"] for one in chrome[newest]}
    for facts in known.values():
        if facts.self_issued:
            continue  # such a root is in a store, or it helps nobody
        # Only of the newest list is it known that its intermediates are anchors.
        digest = facts.sha256.hex()
        held = {"chrome": (Span(place, place + 1),)} if digest in anchors else {}
        writer.add(StoredCertificate(facts, held, root=False, revoked=digest in revoked))
    missing = {bytes.fromhex(one) for one in (*anchors, *revoked)} - known.keys()
    assert not missing, f"not among the known intermediates: {[one.hex() for one in missing]}"
    writer.write(options.target)
    sys.stdout.write(f"{options.target}: {options.target.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
