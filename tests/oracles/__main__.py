"""Asks every real client about the corpus, and writes the page `docs/oracles.md`."""

from __future__ import annotations

import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from stress.trust import describe
from stress.trust.policy import policies
from stress.trust.reading.key import KeyKind
from tests.oracles.corpus import Chain, chains
from tests.oracles.oracle import (
    BROWSERS,
    ORACLES,
    Comparison,
    Oracle,
    ask,
    compare,
    judge_all,
)

PAGE = Path(__file__).parents[2] / "docs" / "oracles.md"
_SHOWN = 40
"""Kinds of disagreement that are listed for one client; the rest is counted."""
_BOUND = 0.95
_NOT_SERVED = {"leaf-not-first", "odd-key"}
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

    return [one for one in corpus if one.kind not in _NOT_SERVED and all(map(takes, one.anchors))]


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

"""

_ELSEWHERE = """
## What cannot be run here

| policy | why not | how its rules are known |
|---|---|---|
| `apple`, `apple-ios12` | Apple's systems only | Apple's published source and support pages; \
see `stress/trust/policies/apple.toml` |
| `android` | runs on Android only | the source of Conscrypt and OkHttp; see \
`stress/trust/policies/android.toml` |
| `node` | it tells only after the handshake what it found: compared with the real program over \
the recorded faults (`stress/codes/tables/measured.toml`) | Node's source and OpenSSL's; see \
`stress/trust/policies/node.toml` |

curl compares the host's name only after the handshake, which does not end here; its column is about
chains. A leaf with an ML-DSA key needs TLS 1.3, so in this corpus only CAs have one.
"""


def main() -> int:
    """Writes the page; 1 when a client that must be there is missing, or a fault is overlooked."""
    began = monotonic()
    corpus = list(chains(each=20, pairs=12))
    fresh = list(chains(each=4, pairs=1, seed=61))
    apart = _served(chains(each=10, pairs=0, apart=True))
    apart_fresh = _served(chains(each=4, pairs=0, seed=62, apart=True))
    found: dict[str, list[Comparison]] = {}
    lines = []
    for oracle in (*ORACLES, *BROWSERS):
        missing = oracle.missing()
        if missing:
            sys.stderr.write(f"{oracle.name}: not asked, {missing} is not installed\n")
            lines.append(f"| `{oracle.policy}` | {oracle.name}: not installed | | | | | |")
            continue
        own, other = (apart, apart_fresh) if oracle.served else (corpus, fresh)
        found[oracle.name] = compared = _compared(oracle, own)
        again = _share(_compared(oracle, other))
        lines.append(
            _row(oracle.policy, f"{oracle.name}: {_VERSIONS[oracle.name]}", compared, again)
        )
        sys.stderr.write(f"{lines[-1]}\n")
    missed = list(_refused_by_all(corpus, {one.name: found[one.name] for one in ORACLES}))
    page = [_HEAD, f"The corpus has {len(corpus):,} chains of {len(_kinds(corpus))} kinds.\n\n"]
    page += ["| policy | client | chains | agree | share | other seeds | kinds below 95 % |\n"]
    page += ["|---|---|---|---|---|---|---|\n", *(f"{line}\n" for line in lines)]
    page += [f"\nChains that every client refuses and the product calls clean: {len(missed)}.\n"]
    page += [f"* `{chain}`\n" for chain in missed[:_SHOWN]]
    page += [f"\nThis took {(monotonic() - began) / 60:.0f} minutes on two cores.\n"]
    for name, compared in found.items():
        page += _disagreements(name, compared)
    page += [_ELSEWHERE]
    PAGE.write_text("".join(page), encoding="utf-8")
    return int(bool(missed) or len(found) < len(ORACLES) + len(BROWSERS))


_VERSIONS: dict[str, str] = {}
"""By the client's name."""


def _compared(oracle: Oracle, corpus: list[Chain]) -> list[Comparison]:
    answers = ask(oracle, corpus)
    _VERSIONS[oracle.name] = answers.version[:60]
    return compare(oracle, answers, corpus)


def _share(compared: list[Comparison]) -> str:
    agree = sum(one.agrees for one in compared)
    return f"{agree:,} of {len(compared):,}, {agree / len(compared):.2%}"


def _kinds(corpus: Iterable[Chain]) -> Counter[str]:
    return Counter(one.kind for one in corpus)


def _row(policy: str, client: str, compared: list[Comparison], again: str) -> str:
    agree = sum(one.agrees for one in compared)
    of_kind = _kinds(one.chain for one in compared)
    good = Counter(one.chain.kind for one in compared if one.agrees)
    low = [kind for kind, count in of_kind.items() if good[kind] < _BOUND * count]
    shown = ", ".join(f"{kind} {good[kind]}/{of_kind[kind]}" for kind in low[:6])
    more = f" and {len(low) - 6} more" if len(low) > 6 else ""
    counts = f"{len(compared):,} | {agree:,} | {agree / len(compared):.2%}"
    cells = (f"`{policy}`", client, counts, again, shown + more)
    return f"| {' | '.join(cells)} |"


def _refused_by_all(corpus: list[Chain], found: Mapping[str, list[Comparison]]) -> Iterator[str]:
    """Chains that all clients refuse, but not the policy `any`."""
    refused = set.intersection(
        *({one.chain.id for one in compared if one.words != "ok"} for compared in found.values())
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
    groups: dict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for one in compared:
        if not one.agrees:
            key = one.words.split(" <- ")[-1][:90], one.category if one.refused else "accepts"
            groups[key].append(one)
    lines = [f"\n## {name}: {sum(map(len, groups.values()))} disagreements\n\n"]
    if groups:
        lines += ["| count | the client says | we say | an example | our finding | why |\n"]
        lines += ["|---|---|---|---|---|---|\n"]
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    for (words, ours), those in ranked[:_SHOWN]:
        one = those[0]
        example, why = f"`{one.chain.id}`", _reason(name, one.chain.kind)
        cells = (str(len(those)), words, ours, example, one.detail[:100], why)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    if len(ranked) > _SHOWN:
        lines.append(f"\n{len(ranked) - _SHOWN} more kinds of disagreement, each rarer.\n")
    return lines


if __name__ == "__main__":
    sys.exit(main())
