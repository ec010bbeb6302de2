"""Asks every real client about the corpus, and writes the page `docs/oracles.md`.

    python -m tests.oracles [FOLDER]

FOLDER keeps what clients said, with the chains that they were asked about, and what is there is not
asked again: so a run that was interrupted goes on. Our verdicts are always made anew.
"""

from __future__ import annotations

import json
import pickle
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from stress.trust import describe
from stress.trust.policy import policies
from stress.trust.reading.key import KeyKind
from stress.trust.rules.identity import literal
from tests.oracles.corpus import Chain, chains
from tests.oracles.oracle import (
    BROWSERS,
    ORACLES,
    Comparison,
    Oracle,
    ask,
    compare,
    judge_all,
    matching,
)

PAGE = Path(__file__).parents[2] / "docs" / "oracles.md"
MET = Path(__file__).parent / "met.json"
"""Chains that yielded each pattern of `messages.toml`."""
_SHOWN = 40
"""Kinds of disagreement that are listed for one client; the rest is counted."""
_BOUND = 0.95
_UNSERVED = {"P-224", "secp256k1", "brainpoolP256r1", "P-192"}
"""Curves that the server in Go does not know or clients do not offer.

It takes no host with a final dot, either, and no browser takes one for a name whose last label is a
number.
"""
_NOT_SERVED = {"leaf-not-first", "odd-key", "keys-of-odd-numbers"}
"""Kinds whose first certificate has another key than the server."""


def _served(corpus: Iterable[Chain]) -> list[Chain]:
    """The chains that browsers can be asked about.

    NSS, which keeps a user's roots, cannot add one whose key is ML-DSA or Ed25519, or has explicit
    parameters (SEC_ERROR_ADDING_CERT); and a root without a name would be that of every other
    chain whose issuer has none.
    """

    def takes(der: bytes) -> bool:
        facts = describe(der)
        known = facts.public_key.kind not in {KeyKind.ML_DSA, KeyKind.EDWARDS}
        known &= facts.public_key.curve != "explicit"
        return known and bool(facts.unreadable or facts.subject_name.normal)

    def has_key(der: bytes) -> bool:
        return describe(der).public_key.curve not in _UNSERVED

    return [
        one
        for one in corpus
        if one.kind not in _NOT_SERVED and all(map(takes, one.anchors)) and has_key(one.sent[0])
        if not one.host.endswith(".") and (literal(one.host) or not one.host[-1:].isdigit())
    ]


_HEAD = """# Verdicts against the real clients

What `tls-stress` says of a chain was compared with what real programs say: the same octets,
as the first flight of a TLS 1.2 server, to each of them, at the same moment. *Agreement* is the
same verdict, and where it is a refusal also the same category: what a client's words stand for is
listed in `tests/oracles/messages.toml`. Written by `make oracles`; the seeds are fixed.

Browsers get a part of the corpus, through a real server with TLS 1.3, in which every chain has
names of its own: what a browser remembers of one chain (its intermediates) can do nothing for
another, and one start of it is enough. It has no chains whose leaf is not the server's, nor under
roots that cannot be given to them (with an ML-DSA or Ed25519 key, or without a name). Each client
is asked twice: about the corpus that its policy was mended with, and about one of other seeds.

The kinds are of two streams. One was drawn together with the policies, from their tables. The other
(`profile_defects.py`, `subject_defects.py`, `more_shapes.py`) was drawn apart from them: from RFC
5280, 6125 and 6962, the CA/Browser Forum's baseline requirements, and what x509-limbo, BetterTLS
and Frankencert try; one of its kinds is any two kinds at once. When it was first asked about, Go
agreed on 95.5 %, OpenSSL on 95.0 %, Java on 94.6 % and GnuTLS on 93.5 % of it, Chromium on 93.4 %
and Firefox on 93.9 %: so much less does a policy agree with what nobody had thought of.

"""

_ELSEWHERE = """
## What cannot be run here

| policy | why not | how its rules are known |
|---|---|---|
| `apple`, `apple-ios12` | Apple's systems only | Apple's published source and support pages; \
see `stress/trust/policies/apple.toml` |
| `android` | runs on Android only | the source of Conscrypt and OkHttp; see \
`stress/trust/policies/android.toml` |

Node 24.19 matches no IPv6 address at all (`checkServerIdentity` asks `domainToASCII` first). Node
tells only when the handshake has ended what it found, so it is asked through a real server, as
browsers are, and not about chains whose leaf is not the server's. On some it crashes: those are
left out.

What a leaf's keyUsage allows is looked at once more when the server signs: OpenSSL (curl, Python,
Node) refuses an ECDSA or Edwards key without digitalSignature in TLS 1.2 and not in 1.3, GnuTLS any
key in 1.3 and not in 1.2, Java in both, Go in neither (measured with real handshakes). The first
flight does not come that far, so the tables here leave that out; the policies say "sometimes".

curl compares the host's name only after the handshake, which does not end here; its column is about
chains. A leaf with an ML-DSA key needs TLS 1.3, so in this corpus only CAs have one.
"""


@dataclass(frozen=True)
class Part:
    """A part of the corpus, as `chains` makes it."""

    seed: int
    each: int
    pairs: int
    again: bool = False
    """It is of other seeds than those that the policies were mended with."""

    def chains(self, oracle: Oracle) -> list[Chain]:
        """Its chains for this client."""
        apart = oracle in BROWSERS
        made = chains(each=self.each, pairs=self.pairs, seed=self.seed, apart=apart)
        return _served(made) if oracle.served else list(made)


_PARTS = (
    Part(41, 20, 4),
    Part(23, 10, 2),
    Part(61, 3, 2, again=True),
    Part(63, 2, 0, again=True),
)
_PARTS_SERVED = (Part(51, 12, 0), Part(62, 3, 0, again=True))
_AT_ONCE = 4
"""Clients that are asked at the same time."""


@dataclass(frozen=True)
class Told:
    """What one client said, beside what we say."""

    version: str
    own: list[Comparison]
    again: list[Comparison]
    """Of other seeds."""


def main(folder: Path | None = None) -> int:
    """Writes the page; 1 when a client that must be there is missing, or a fault is overlooked."""
    began = monotonic()
    asked = [one for one in (*ORACLES, *BROWSERS) if not one.missing()]
    with ProcessPoolExecutor(_AT_ONCE) as pool:
        answered = pool.map(partial(_told, folder), asked)
        told = {oracle.name: one for oracle, one in zip(asked, answered, strict=True)}
    lines = []
    for oracle in (*ORACLES, *BROWSERS):
        if oracle.name in told:
            lines.append(_row(oracle, told[oracle.name]))
        else:
            lines.append(f"| `{oracle.policy}` | {oracle.name}: not installed | | | | | |")
            sys.stderr.write(f"{oracle.name}: not asked, {oracle.missing()} is not installed\n")
    each = [told[one.name] for one in ORACLES if one.name in told and not one.served]
    every = [[*one.own, *one.again] for one in each]
    corpus = [one.chain for one in every[0]]
    missed = list(_refused_by_all(corpus, every))
    refused = min(sum(one.words != "ok" for one in compared) for compared in every)
    page = [_HEAD, f"The corpus has {len(corpus):,} chains of {len(_kinds(corpus))} kinds, "]
    page += [f"{len(each[0].again):,} of them of other seeds; "]
    page += ["each client but browsers and Node was asked about all, "]
    page += [f"and refuses at least {refused:,}.\n\n"]
    page += ["| policy | client | chains | agree | share | other seeds | kinds below 95 % |\n"]
    page += ["|---|---|---|---|---|---|---|\n", *(f"{line}\n" for line in lines)]
    page += [f"\nChains that every client refuses and the product calls clean: {len(missed)}.\n"]
    page += [f"* `{chain}`\n" for chain in missed[:_SHOWN]]
    for name, one in told.items():
        page += _disagreements(name, [*one.own, *one.again])
    page += [_ELSEWHERE]
    PAGE.write_text("".join(page), encoding="utf-8")
    MET.write_text(f"{json.dumps(_met(told), indent=1)}\n", encoding="utf-8")
    sys.stderr.write(f"This took {(monotonic() - began) / 60:.0f} minutes.\n")
    return int(bool(missed) or len(told) < len(ORACLES) + len(BROWSERS))


def _met(told: Mapping[str, Told]) -> dict[str, dict[str, list[str]]]:
    """By family and pattern: a chain (how many others), and what a client said to it."""
    found: dict[str, dict[str, list[str]]] = {}
    counts = Counter[tuple[str, str]]()
    for oracle in (*ORACLES, *BROWSERS):
        rows = found.setdefault(oracle.family, {})
        compared = [*told[oracle.name].own, *told[oracle.name].again] if oracle.name in told else []
        for one in (one for one in compared if one.words != "ok"):
            for pattern, _ in matching(oracle.family, one.words):
                counts[oracle.family, pattern.pattern] += 1
                rows.setdefault(pattern.pattern, [one.chain.id, oracle.name, one.words[-300:]])
    for (family, text), count in counts.items():
        found[family][text].insert(0, f"{count} times")
    return found


def _told(folder: Path | None, oracle: Oracle) -> Told:
    """Asks one client about its parts, and compares."""
    version, found = "", dict[bool, list[Comparison]]()
    for part in _PARTS_SERVED if oracle in BROWSERS else _PARTS:
        kept = folder and folder / f"{oracle.name}-{part.seed}-{part.each}-{part.pairs}"
        if kept and kept.exists():
            asked, answers = pickle.loads(kept.read_bytes())
        else:
            asked = part.chains(oracle)
            answers = ask(oracle, asked)
            if kept:
                kept.write_bytes(pickle.dumps((asked, answers)))
        version = answers.version[:60]
        found.setdefault(part.again, []).extend(compare(oracle, answers, asked))
        sys.stderr.write(f"{oracle.name}: {part}\n")
    return Told(version, found[False], found[True])


def _share(compared: list[Comparison]) -> str:
    agree = sum(one.agrees for one in compared)
    return f"{agree:,} of {len(compared):,}, {agree / len(compared):.2%}"


def _kinds(corpus: Iterable[Chain]) -> Counter[str]:
    return Counter(one.kind for one in corpus)


def _row(oracle: Oracle, told: Told) -> str:
    compared = told.own
    agree = sum(one.agrees for one in compared)
    of_kind = _kinds(one.chain for one in compared)
    good = Counter(one.chain.kind for one in compared if one.agrees)
    low = [kind for kind, count in of_kind.items() if good[kind] < _BOUND * count]
    shown = ", ".join(f"{kind} {good[kind]}/{of_kind[kind]}" for kind in low[:6])
    more = f" and {len(low) - 6} more" if len(low) > 6 else ""
    counts = f"{len(compared):,} | {agree:,} | {agree / len(compared):.2%}"
    client = f"{oracle.name}: {told.version}"
    cells = (f"`{oracle.policy}`", client, counts, _share(told.again), shown + more)
    return f"| {' | '.join(cells)} |"


def _refused_by_all(corpus: list[Chain], found: Iterable[list[Comparison]]) -> Iterator[str]:
    """Chains that all clients refuse, but not the policy `any`."""
    refused = set.intersection(
        *({one.chain.id for one in compared if one.words != "ok"} for compared in found)
    )
    doubtful = [one for one in corpus if one.id in refused]
    assert "any" in policies()
    for name, (refusal, *_) in judge_all("any", doubtful).items():
        if refusal == "no":
            yield name


def _reason(client: str, kind: str) -> str:
    """Why the client's disagreement about this kind of chain stays; empty: not known."""
    table: dict[str, list[dict[str, Any]]] = tomllib.loads(
        (PAGE.parents[1] / "tests/oracles/reasons.toml").read_text("utf-8")
    )
    every = [one for name, rows in table.items() if client.startswith(name) for one in rows]
    found = (one for one in every if any(part in kind for part in one["kinds"]))
    return str(next(found, {"reason": ""})["reason"])


def _disagreements(name: str, compared: list[Comparison]) -> list[str]:
    groups: dict[tuple[str, str, str], list[Comparison]] = defaultdict(list)
    for one in compared:
        if not one.agrees:
            words = one.words.split(" <- ")[-1][:90]
            ours = one.category if one.refused else "accepts"
            groups[words, ours, _reason(name, one.chain.kind)].append(one)
    lines = [f"\n## {name}: {sum(map(len, groups.values()))} disagreements\n\n"]
    if groups:
        lines += ["| count | the client says | we say | an example | our finding | why |\n"]
        lines += ["|---|---|---|---|---|---|\n"]
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    for (words, ours, why), those in ranked[:_SHOWN]:
        one = those[0]
        example = f"`{one.chain.id}`"
        cells = (str(len(those)), words, ours, example, one.detail[:100], why)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    if len(ranked) > _SHOWN:
        lines.append(f"\n{len(ranked) - _SHOWN} more kinds of disagreement, each rarer.\n")
    return lines


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
