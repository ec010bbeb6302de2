"""Evidence for root causes: what the plan, the place, the chains and the failures themselves show.

Each function returns facts by their names in `likely.toml`; a fact may have a value, such as the
first bytes of an answer, that the report quotes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from stress.model.chain import Refusal, Verdict
from stress.model.outcome import Category, ClientView
from stress.model.plan import Client, Plan, Stack, StartTls
from stress.model.record import Record
from stress.model.run import SeenChain
from stress.text.numbers import counted, rate
from stress.trust import describe
from stress.trust.path import Signature, check

STRICT_CLIENTS = frozenset({"go", "python"})
TLS_1_3 = 0x0304
POST_QUANTUM = frozenset({0x11EB, 0x11EC, 0x11ED, 0x6399})
"""Key exchanges with ML-KEM, whose shares are longer than 1,100 bytes."""
AUTHORITY_KEY = "2.5.29.35"
"""The authorityKeyIdentifier, RFC 5280 section 4.2.1.1."""
ACME_IDENTIFIER = "1.3.6.1.5.5.7.1.31"
"""RFC 8737 section 3."""
_Name = TypeVar("_Name", bound=str)
_ADDRESSES = frozenset({"address", "label", "family"})
_FIRST_BYTES = re.compile(r"first bytes (['\"])(?P<text>.*)\1")
_REFUSAL = re.compile(r"(the server|; it) said (['\"])(?P<text>.*)\2")
"""Of `stress.dialogues`."""
_EXPIRED_STAPLE = re.compile(r"the staple expired (?P<when>\S+)")
_OTHER_STAPLE = re.compile(r"the staple is for another certificate")
_FIRST_WORDS = {
    "http-answer": r"HTTP/\d|\s*<(!doctype|html)",
    "other-protocol": r"SSH-|RFB |AMQP|\$\d|-ERR|-NOAUTH",
}
"""How answers that are not TLS begin."""
_GREETINGS = {
    StartTls.LMTP: r"220[ -].*\bLMTP\b",
    StartTls.FTP: r"220[ -].*FTP",
    StartTls.SMTP: r"220[ -]",
    StartTls.NNTP: r"20[01][ -]",
    StartTls.IMAP: r"\* (OK|PREAUTH)",
    StartTls.POP3: r"\+OK",
    StartTls.SIEVE: r"\"IMPLEMENTATION",
    StartTls.XMPP: r"<\?xml|<stream",
    StartTls.MYSQL: r".{4,30}(\d+\.){2}\d",  # its version, behind a length
}
"""How servers greet that expect STARTTLS; the first that fits."""


def _holding(facts: Mapping[str, bool]) -> set[str]:
    return {name for name, holds in facts.items() if holds}


def facts_of_the_plan(plan: Plan) -> set[str]:
    """What was tested, as far as it supports or excludes a root cause."""
    senders = [client.server_name and plan.server_name is not None for client in plan.clients]
    load = plan.load
    return _holding(
        {
            "one-address": len(plan.addresses) == 1,
            "address-target": plan.target.literal is not None and plan.server_name is None,
            "no-sni": not any(senders),
            "sni-always-sent": plan.names_server,
            "client-certificate-sent": bool(plan.client_certificate),
            "proxy-header-sent": bool(plan.proxy_protocol),
            "through-proxy": plan.proxy is not None,
            "private-ca": plan.trust.private,
            "starttls-port": StartTls.implied_by(plan.target.port) is not None,
            "starttls-spoken": plan.starttls is not None,
            "connections-held": load.hold_s > 0.0,
            "steady-load": load.rate is not None and len(load.segments) <= 1,
            **_hello_sizes({client.name for client in plan.clients}, plan),
        }
    )


def _hello_sizes(names: Collection[str], plan: Plan) -> dict[str, bool]:
    """Whether all ClientHellos of these clients fit into one segment, or none of them does.

    Only post-quantum key shares, which need TLS 1.3, make a hello of two segments. BoringSSL by
    itself sends one.
    """
    small, large = [], []
    for client in plan.clients:
        if client.name in names:
            offered, shared = {*client.groups, *client.key_shares}, client.key_shares
            own = not offered and plan.stack_of(client) is Stack.BORINGSSL
            small.append(_old(client) or bool(offered and not offered & POST_QUANTUM))
            large.append(
                not _old(client) and (own or bool(POST_QUANTUM & set(shared or client.groups)))
            )
    return {"small-hello": bool(small) and all(small), "large-hello": bool(large) and all(large)}


def _old(client: Client) -> bool:
    return TLS_1_3 not in client.versions


def facts_of_the_place(place: Mapping[str, str], plan: Plan) -> set[str]:
    """What the conditions of a claim, and their aliases, say.

    Args:
        place: dimension and value of each.
        plan: of the run.
    """
    named = [client for client in plan.clients if client.name == place.get("client")]
    return _holding(
        {
            "at-some-addresses": bool(_ADDRESSES & set(place)),
            "follows-client": bool(named),
            "old-tls": any(map(_old, named)),
            "no-sni": place.get("sni") == "none" or not all(one.server_name for one in named),
            **_hello_sizes({client.name for client in named}, plan),
        }
    )


def facts_of_the_chain(
    chain: SeenChain, usual: SeenChain | None, anchors: Sequence[bytes]
) -> set[str]:
    """What the failing chain shows, by itself and beside the usual good one."""
    if not chain.certificates:
        return set()
    leaf, *above = [describe(der) for der in chain.certificates]
    sent = {one.subject for one in above}
    known = [*above, *map(describe, anchors)]

    def signed_by_another_key(number: int) -> bool:
        child = describe(chain.certificates[number])
        namesakes = [one for one in known if one.subject and one.subject == child.issuer]
        others = [one for one in namesakes if one.der != child.der]
        return bool(others) and all(check(child, one) is Signature.BAD for one in others)

    found = {
        "several-sent": bool(above),
        "leaf-only": not above,
        "self-signed": leaf.self_issued,
        "acme-extension": any(one.oid == ACME_IDENTIFIER for one in leaf.extensions),
        "issuer-not-sent": bool(above) and above[-1].issuer not in {leaf.issuer, *sent},
        "same-name-other-key": any(map(signed_by_another_key, range(1 + len(above)))),
    }
    if usual is not None and usual.certificates and usual.sha256 != chain.sha256:
        expected = describe(usual.certificates[0])
        names, others = set(leaf.sans), set(expected.sans)
        found |= {
            "usual-differs": True,
            "same-issuer-as-usual": leaf.issuer == expected.issuer,
            "same-key-type": leaf.key.split()[0] == expected.key.split()[0],
            "same-names": names == others,
            "shares-a-name": names != others and bool(names & others),
        }
    return _holding(found)


def facts_of_the_roots(chains: Sequence[SeenChain]) -> set[str]:
    """Whether the chains that failed alike end at one unknown CA, or several: by name and key."""
    roots = set()
    for chain in chains:
        if chain.certificates:
            top = describe(chain.certificates[-1])
            named = next((one.value for one in top.extensions if one.oid == AUTHORITY_KEY), b"")
            roots.add((top.issuer, top.spki_sha256 if top.self_issued else named))
    return _holding({"one-bad-root": len(roots) == 1, "several-bad-roots": len(roots) > 1})


def facts_of_the_verdicts(verdicts: Collection[Verdict]) -> set[str]:
    """What the verdicts on the failing chain say: of its name, and by versions of root stores."""
    findings = [one for verdict in verdicts for one in verdict.findings]
    refusing = [
        one.versions
        for one in findings
        if one.refusal is Refusal.SOMETIMES and one.category is Category.UNTRUSTED_ROOT
    ]
    nameless = {Category.HOSTNAME_MISMATCH, Category.NO_SAN, Category.MALFORMED_CERTIFICATE}
    named = bool(findings) and all(verdict.host for verdict in verdicts)
    newer = any("≥" in versions for versions in refusing)
    older = any("<" in versions or "≤" in versions for versions in refusing)
    return _holding(
        {
            "names-the-host": named and nameless.isdisjoint(one.category for one in findings),
            "newer-stores-refuse": newer,
            "older-stores-refuse": older,
        }
    )


def facts_of_the_clients(views: Mapping[str, ClientView]) -> set[str]:
    """Which client families accept the chain all the same."""
    refusing = {family for family, view in views.items() if view.fails == "yes"}
    accepted = any(view.fails == "no" for view in views.values())
    strict = accepted and bool(refusing) and refusing <= STRICT_CLIENTS
    return _holding({"some-families-accept": accepted, "strict-clients-only": strict})


def facts_of_the_answers(failing: Sequence[Record]) -> dict[str, str]:
    """What a target said that does not speak TLS, or refuses it: the kind, with its words."""
    refusals = (_REFUSAL.search(record.detail or "") for record in failing)
    if said := next(filter(None, refusals), None):
        return {"server-said": f'"{said["text"]}"'}
    quoted = [_FIRST_BYTES.match(record.detail or "") for record in failing]
    first = next(filter(None, quoted), None)
    if first is None or not all(quoted):
        return {}
    words = first["text"].split(r"\r\n")[0][:60]
    kinds = _beginning(_FIRST_WORDS, words)
    greeting = _beginning(_GREETINGS, words)[:1]
    kinds += ["clear-greeting"] * len(greeting)
    found = dict.fromkeys([*kinds, "first-bytes"], f'"{words}"')
    return found | {"starttls": greeting[0].value} if greeting else found


def facts_of_the_staples(failing: Sequence[Record]) -> dict[str, str]:
    """What was wrong with the stapled OCSP responses, by the words of `stress.trust.rules.staple`.

    The value of those that expired is the time of the first.
    """
    details = {record.detail or "" for record in failing}
    expired = [found["when"] for found in map(_EXPIRED_STAPLE.match, details) if found]
    values = {"staple-out-of-date": min(expired)} if expired else {}
    return values | ({"staple-of-another": ""} if any(map(_OTHER_STAPLE.match, details)) else {})


def _beginning(starts: Mapping[_Name, str], words: str) -> list[_Name]:
    return [name for name, start in starts.items() if re.match(start, words, re.IGNORECASE)]


def facts_of_what_passed(before: int, passing: float | None) -> dict[str, str]:
    """How many connections passed before the first failure, and the rate that a limit lets pass."""
    values = {"first-ones-passed": counted(before, "connection")} if before else {}
    return values if passing is None else values | {"a-rate-passes": rate(passing)}
