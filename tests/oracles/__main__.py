"""Asks every real client about the corpus, and writes the page `docs/oracles.md`."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stress.trust.policy import policies
from tests.oracles.corpus import Chain, chains
from tests.oracles.oracle import ORACLES, Comparison, ask, compare, judge_all

PAGE = Path(__file__).parents[2] / "docs" / "oracles.md"
_SHOWN = 40
"""Kinds of disagreement that are listed for one client; the rest is counted."""
_BOUND = 0.95

_HEAD = """# Verdicts against the real clients

What `tls-stress` says of a chain was compared with what real programs say: the same octets,
as the first flight of a TLS 1.2 server, to each of them, at the same moment. *Agreement* is the
same verdict, and where it is a refusal also the same category: what a client's words stand for is
listed in `tests/oracles/messages.toml`. Written by `make oracles`; the seeds are fixed.

"""

_ELSEWHERE = """
## What cannot be run here

| policy | why not | how its rules are known |
|---|---|---|
| `apple`, `apple-ios12` | Apple's systems only | Apple's published source and support pages; \
see `stress/trust/policies/apple.toml` |
| `android` | runs on Android only | the source of Conscrypt and OkHttp; see \
`stress/trust/policies/android.toml` |
| `chrome`, `firefox` | they need a server with the leaf's key: not compared on this corpus yet | \
their source and policy pages; see their files in `stress/trust/policies/` |
| `node` | it tells only after the handshake what it found: compared with the real program over \
the recorded faults (`stress/codes/tables/measured.toml`) | Node's source and OpenSSL's; see \
`stress/trust/policies/node.toml` |
| `openssl-strict` | as `python-3.13`, which is compared, without partial chains | \
OpenSSL's source |

curl compares the host's name only after the handshake, which does not end here; its column is about
chains. A leaf with an ML-DSA key needs TLS 1.3, so in this corpus only CAs have one.
"""


def main() -> int:
    """Writes the page; 1 when a bound does not hold or a client that must be there is missing."""
    corpus = list(chains(each=20, pairs=12))
    found: dict[str, list[Comparison]] = {}
    lines = []
    for oracle in ORACLES:
        missing = oracle.missing()
        if missing:
            sys.stderr.write(f"{oracle.name}: not asked, {missing} is not installed\n")
            lines.append(f"| `{oracle.policy}` | {oracle.name}: not installed | | | | |")
            continue
        answers = ask(oracle, corpus)
        found[oracle.name] = compared = compare(oracle, answers, corpus)
        lines.append(_row(oracle.policy, f"{oracle.name}: {answers.version[:60]}", compared))
        sys.stderr.write(f"{lines[-1]}\n")
    missed = list(_refused_by_all(corpus, found))
    page = [_HEAD, f"The corpus has {len(corpus):,} chains of {len(_kinds(corpus))} kinds.\n\n"]
    page += ["| policy | client | chains | agree | share | kinds below 95 % |\n"]
    page += ["|---|---|---|---|---|---|\n", *(f"{line}\n" for line in lines)]
    page += [f"\nChains that every client refuses and the product calls clean: {len(missed)}.\n"]
    page += [f"* `{chain}`\n" for chain in missed[:_SHOWN]]
    for name, compared in found.items():
        page += _disagreements(name, compared)
    page += [_ELSEWHERE]
    PAGE.write_text("".join(page), encoding="utf-8")
    return int(bool(missed) or len(found) < len(ORACLES))


def _kinds(corpus: Iterable[Chain]) -> Counter[str]:
    return Counter(one.kind for one in corpus)


def _row(policy: str, client: str, compared: list[Comparison]) -> str:
    agree = sum(one.agrees for one in compared)
    of_kind = _kinds(one.chain for one in compared)
    good = Counter(one.chain.kind for one in compared if one.agrees)
    low = [kind for kind, count in of_kind.items() if good[kind] < _BOUND * count]
    shown = ", ".join(f"{kind} {good[kind]}/{of_kind[kind]}" for kind in low[:6])
    more = f" and {len(low) - 6} more" if len(low) > 6 else ""
    share = f"{agree / len(compared):.2%}"
    return f"| `{policy}` | {client} | {len(compared):,} | {agree:,} | {share} | {shown}{more} |"


def _refused_by_all(corpus: list[Chain], found: Mapping[str, list[Comparison]]) -> Iterator[str]:
    """Chains that all clients refuse, but not the policy `any`."""
    refused = set.intersection(
        *({one.chain.id for one in compared if one.words != "ok"} for compared in found.values())
    )
    doubtful = [one for one in corpus if one.id in refused]
    assert "any" in policies()
    for name, (refusal, _, _) in judge_all("any", doubtful).items():
        if refusal == "no":
            yield name


def _disagreements(name: str, compared: list[Comparison]) -> list[str]:
    groups: dict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for one in compared:
        if not one.agrees:
            key = one.words.split(" <- ")[-1][:90], one.category if one.refused else "accepts"
            groups[key].append(one)
    lines = [f"\n## {name}: {sum(map(len, groups.values()))} disagreements\n\n"]
    if groups:
        lines += ["| count | the client says | we say | an example | our finding |\n"]
        lines += ["|---|---|---|---|---|\n"]
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    for (words, ours), those in ranked[:_SHOWN]:
        one = those[0]
        cells = (str(len(those)), words, ours, f"`{one.chain.id}`", one.detail[:100])
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    if len(ranked) > _SHOWN:
        lines.append(f"\n{len(ranked) - _SHOWN} more kinds of disagreement, each rarer.\n")
    return lines


if __name__ == "__main__":
    sys.exit(main())
