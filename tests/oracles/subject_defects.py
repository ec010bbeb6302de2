"""A second stream of defects: names, constraints and policies (see `profile_defects.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracles.making import (
    Spec,
    address,
    authority,
    constraints,
    directory,
    dns,
    integer,
    key,
    mail,
    name,
    oid,
    seq,
    tlv,
    uri,
)
from tests.oracles.registry import defect

if TYPE_CHECKING:
    from tests.oracles.corpus import Draft

_CN, _O, _C = "2.5.4.3", "2.5.4.10", "2.5.4.6"
_V4, _OTHER_V4 = b"\xc0\0\2\x0a", b"\xc6\x33\x64\1"
_V6 = bytes.fromhex("20010db8000000000000000000000a00")


def rdn(*pairs: tuple[str, int, bytes]) -> bytes:
    return tlv(0x31, *(seq(oid(kind), tlv(tag, value)) for kind, tag, value in pairs))


_PATTERNS = (
    "shop.good.test",
    "SHOP.GOOD.TEST",
    "*.good.test",
    "*.shop.good.test",
    "*.test",
    "*",
    "*.",
    ".good.test",
    "shop.*.test",
    "*.*.test",
    "s*.good.test",
    "*p.good.test",
    "s*p.good.test",
    "shop*.good.test",
    "*shop.good.test",
    "sh**p.good.test",
    "*.good.test.",
    "shop.good.test.",
    "shop.good.test..",
    "shop..good.test",
    "shop.good.test\0",
    "shop.good.test\0.evil.test",
    "shop.good.test ",
    "shop.good.test:443",
    "https://shop.good.test",
    "shop_good.test",
    "?hop.good.test",
    "xn--shop.good.test",
    "*.xn--good.test",
    "shop.good.testing",
    "good.test",
    "hop.good.test",
    "www.shop.good.test",
)
_HOSTS = (
    "shop.good.test",
    "shop.good.test",
    "shop.good.test",
    "Shop.Good.Test",
    "shop.good.test.",
    "good.test",
    "a.shop.good.test",
)
_PAIRS = (
    ("b\u00fccher.good.test", "xn--bcher-kva.good.test"),
    ("xn--bcher-kva.good.test", "xn--bcher-kva.good.test"),
    ("XN--BCHER-KVA.good.test", "xn--bcher-kva.good.test"),
    ("xn--*.good.test", "xn--bcher-kva.good.test"),
    ("*-kva.good.test", "xn--bcher-kva.good.test"),
    ("*.good.test", "xn--bcher-kva.good.test"),
    ("*.com", "good.com"),
    ("*.co.uk", "good.co.uk"),
    ("*.uk", "co.uk"),
    ("localhost", "localhost"),
    ("*", "localhost"),
    ("server1", "server1"),
    ("under_score.good.test", "under_score.good.test"),
    ("*.good.test", "under_score.good.test"),
    ("*.under_score.test", "a.under_score.test"),
    ("a-.good.test", "a-.good.test"),
    ("*.good.test", "a-.good.test"),
    ("1.2.3", "1.2.3"),
    ("1a.good.test", "1a.good.test"),
    ("*.1.test", "a.1.test"),
    ("good.123", "good.123"),
    ("a--b.good.test", "a--b.good.test"),
)


@defect
def patterns(draft: Draft) -> None:
    """Patterns of a dNSName, good and bad, some of them among others, against several hosts."""
    chance = draft.chance
    if chance.random() < 0.4:
        one, draft.host = chance.choice(_PAIRS)
    else:
        one, draft.host = chance.choice(_PATTERNS), chance.choice(_HOSTS)
    listed = [dns(one)]
    if chance.random() < 0.3:
        listed.append(dns(chance.choice(_PATTERNS)))
    if chance.random() < 0.2:
        listed.insert(0, chance.choice((address(_V4), mail("x@good.test"), directory(name("x")))))
    draft.leaf.change("san", seq(*listed), critical=chance.random() < 0.15)
    subjects = ("shop.good.test", "Somebody", "", "other.test", draft.host)
    draft.leaf.subject = name(chance.choice(subjects)[:64], "Org")


@defect
def addresses_of_hosts(draft: Draft) -> None:
    """Hosts that are addresses, against addresses and names in every place."""
    chance = draft.chance
    draft.host = chance.choice(("192.0.2.10", "192.0.2.10", "2001:db8::a00"))
    v6 = _V6
    listed = chance.choice(
        (
            [address(_V4)],
            [address(v6)],
            [address(_V4), address(v6), dns("good.test")],
            [address(_OTHER_V4)],
            [address(b"\0" * 10 + b"\xff\xff" + _V4)],
            [address(b"\0" * 12 + _V4)],
            [address(_V4 + b"\xff" * 4)],
            [address(_V4[:3])],
            [address(_V4), address(b"\1\2\3")],
            [dns("192.0.2.10")],
            [dns("2001:db8::a00")],
            [dns("*.0.2.10"), dns("192.0.2.*")],
            [uri("https://192.0.2.10/")],
            [tlv(0x87, b"192.0.2.10")],
            [dns("good.test")],
            [],
        )
    )
    draft.leaf.change("san", seq(*listed) if listed or chance.random() < 0.5 else None)
    subjects = (name(draft.host), name("good.test"), name("Somebody"), name("192.0.2.10"))
    draft.leaf.subject = chance.choice(subjects)


@defect
def lists_of_names(draft: Draft) -> None:
    """A subjectAltName with many names, long ones, or kinds that are rare."""
    chance, good = draft.chance, dns("good.test")
    other = tlv(0xA0, oid("1.3.6.1.5.5.7.8.9"), tlv(0xA0, tlv(0x0C, b"x@good.test")))
    registered = tlv(0x88, oid("1.2.3.4")[2:])
    more = (
        [dns(f"host{number}.good.test") for number in range(chance.choice((30, 300)))],
        [dns("a" * 64 + ".test")],
        [dns(".".join(["b" * 60] * 5))],
        [dns("")],
        [dns("*")],
        [dns(" ")],
        [dns("\u00e9.test")],
        [dns(b"\xff\xfe")],
        [dns("in valid.test")],
        [dns("-x.test")],
        [mail("a@good.test")],
        [mail("")],
        [mail("a@b@c")],
        [mail("\u00e9@good.test")],
        [mail('"quoted local"@good.test')],
        [uri("urn:uuid:1")],
        [uri("")],
        [uri("good.test")],
        [uri("https://good.test:port/")],
        [uri("https://[2001:db8::1]/")],
        [uri("https://%zz/")],
        [uri("spiffe://good.test/x")],
        [uri("\u00e9")],
        [other],
        [tlv(0xA0, oid("1.2.3"))],
        [tlv(0xA0)],
        [registered],
        [tlv(0x88)],
        [directory(name("x", "y"))],
        [directory(seq())],
        [tlv(0xA4)],
        [tlv(0xA5, tlv(0xA1, tlv(0x0C, b"p")))],
        [tlv(0x85, b"x")],
        [tlv(0x8B, b"x")],
        [tlv(0x30)],
        [tlv(0x16, b"good.test")],
        [address(b"")],
        [address(_V4)],
        [address(b"\1" * 5)],
        [address(b"\1" * 16)],
    )
    listed = [*chance.choice(more)]
    listed.insert(chance.choice((0, len(listed))), good)
    if chance.random() < 0.15:
        listed.remove(good)
    draft.leaf.change("san", seq(*listed), critical=chance.random() < 0.2)
    if chance.random() < 0.2:
        draft.middle().change("san", seq(*listed[:5]))


@defect
def forms_of_san(draft: Draft) -> None:
    """Critical or not, empty, and with a subject that is empty, names the host, or does not."""
    chance = draft.chance
    value = chance.choice((seq(dns("good.test")), seq(dns("x.test")), seq(), None))
    draft.leaf.change("san", value, critical=chance.random() < 0.5)
    draft.leaf.subject = chance.choice((name(), name("good.test"), name("x.test"), name("", "Org")))


_STRINGS = (
    (0x0C, b"Plain Name"),
    (0x13, b"Plain Name"),
    (0x14, b"Plain Name"),
    (0x16, b"Plain Name"),
    (0x1A, b"Plain Name"),
    (0x1E, "Plain Name".encode("utf-16-be")),
    (0x1C, "Plain Name".encode("utf-32-be")),
    (0x12, b"12 34"),
    (0x12, b"not digits"),
    (0x1B, b"General"),
    (0x0C, "N\u00e4me".encode()),
    (0x0C, b"N\xe4me"),
    (0x13, b"At@Sign_*"),
    (0x13, "N\u00e4me".encode()),
    (0x14, b"N\xe4me"),
    (0x16, b"N\xe4me"),
    (0x1E, b"odd"),
    (0x1C, b"odd"),
    (0x0C, b""),
    (0x13, b""),
    (0x0C, b"with\0nul"),
    (0x0C, b"x" * 65),
    (0x0C, b"x" * 300),
    (0x03, b"\0bits"),
    (0x04, b"octets"),
    (0x30, b"\x0c\x01x"),
    (0x05, b""),
    (0x0C, b"  two  spaces "),
    (0x0C, b"\n\t"),
    (0x0C, "\U0001f512".encode()),
)


@defect
def strings_of_subjects(draft: Draft) -> None:
    """Attributes of every string type, in the leaf's subject or a CA's."""
    chance = draft.chance
    tag, value = chance.choice(_STRINGS)
    kind = chance.choice((_O, _CN, _C, "2.5.4.5", "1.2.840.113549.1.9.1", "1.2.3.4.5.6"))
    one: Spec = chance.choice([draft.leaf, draft.leaf, *draft.middles, draft.root])
    common = b"good.test" if one is draft.leaf else b"A CA"
    pairs = [rdn((kind, tag, value)), rdn((_CN, 0x0C, common))]
    if chance.random() < 0.3:
        pairs.reverse()
    one.subject = seq(*pairs)


@defect
def forms_of_subjects(draft: Draft) -> None:
    """RDNs of several attributes, none, twice the same, many, or broken ones."""
    chance = draft.chance
    cn, org = (_CN, 0x0C, b"good.test"), (_O, 0x13, b"Org")
    one: Spec = chance.choice([draft.leaf, draft.leaf, *draft.middles])
    one.subject = chance.choice(
        (
            seq(rdn(org, cn)),
            seq(rdn(cn, org)),
            seq(rdn(cn, cn)),
            seq(rdn(cn), rdn(cn)),
            seq(rdn((_CN, 0x0C, b"other.test")), rdn(cn)),
            seq(rdn(cn), rdn((_CN, 0x0C, b"other.test"))),
            seq(*(rdn((_O, 0x0C, b"Org %d" % number)) for number in range(50)), rdn(cn)),
            seq(rdn((_C, 0x13, b"DEU")), rdn(cn)),
            seq(tlv(0x31), rdn(cn)),
            seq(tlv(0x30, seq(oid(_CN), tlv(0x0C, b"good.test")))),
            seq(tlv(0x31, seq(oid(_CN)))),
            seq(tlv(0x31, seq(oid(_CN), tlv(0x0C, b"good.test"), tlv(0x0C, b"x")))),
            seq(tlv(0x31, seq(tlv(6), tlv(0x0C, b"good.test")))),
            seq(tlv(0x31, seq(tlv(6, b"\x80\x55\x04\x03"), tlv(0x0C, b"good.test")))),
        )
    )
    if chance.random() < 0.4:
        draft.leaf.change("san", None)


@defect
def names_in_the_subject(draft: Draft) -> None:
    """No dNSName, and a CN of any form."""
    chance = draft.chance
    san = (None, None, seq(), seq(mail("a@good.test")), seq(address(_V4)), seq(uri("https://x")))
    draft.leaf.change("san", chance.choice(san))
    commons = ("good.test", "Good.Test", "*.test", "good.test.", "*.good.test", "x.test", "*")
    tag = chance.choice((0x0C, 0x13, 0x14, 0x16, 0x1E, 0x1C))
    draft.leaf.subject = name(chance.choice(commons), chance.choice(("", "Org")), tag)
    draft.host = chance.choice(("good.test", "good.test", "a.good.test", "good.test."))


@defect
def spellings_of_issuers(draft: Draft) -> None:
    """The issuer's name spelt otherwise than the issuer spells it, anywhere in the path."""
    chance = draft.chance
    chain = [draft.root, *draft.middles, draft.leaf]
    at = chance.randrange(1, len(chain))
    above, below = chain[at - 1], chain[at]
    above.subject = seq(rdn((_O, 0x13, b"Big Org")), rdn((_CN, 0x13, b"The Issuer")))
    below.issuer = chance.choice(
        (
            seq(rdn((_O, 0x0C, b"Big Org")), rdn((_CN, 0x0C, b"The Issuer"))),
            seq(rdn((_O, 0x13, b"BIG ORG")), rdn((_CN, 0x13, b"the issuer"))),
            seq(rdn((_O, 0x13, b"Big  Org")), rdn((_CN, 0x13, b" The Issuer "))),
            seq(rdn((_CN, 0x13, b"The Issuer")), rdn((_O, 0x13, b"Big Org"))),
            seq(rdn((_O, 0x13, b"Big Org"), (_CN, 0x13, b"The Issuer"))),
            seq(rdn((_O, 0x14, b"Big Org")), rdn((_CN, 0x14, b"The Issuer"))),
            seq(rdn((_O, 0x16, b"Big Org")), rdn((_CN, 0x16, b"The Issuer"))),
            seq(
                rdn((_O, 0x1E, "Big Org".encode("utf-16-be"))),
                rdn((_CN, 0x1E, "The Issuer".encode("utf-16-be"))),
            ),
            seq(rdn((_O, 0x13, b"Big Org"))),
            seq(rdn((_O, 0x13, b"Big Org")), rdn((_CN, 0x13, b"The Issuer 2"))),
            seq(rdn((_O, 0x13, b"Big Org")), rdn((_CN, 0x13, b"The Issuer")), rdn((_C, 19, b"X"))),
            seq(),
        )
    )
    if chance.random() < 0.3:
        below.issuer_id = False


# Constraints


def _subtrees(draft: Draft) -> list[bytes]:
    chance = draft.chance
    v4, v6 = b"\xc0\0\2\0\xff\xff\xff\0", _V6[:4] + b"\0" * 12 + b"\xff" * 4 + b"\0" * 12
    every = (
        dns("good.test"),
        dns("good.test"),
        dns("test"),
        dns(".good.test"),
        dns("shop.good.test"),
        dns("other.test"),
        dns(""),
        dns("*.good.test"),
        dns("Good.Test"),
        dns("d.test"),
        dns("good.test:443"),
        address(v4),
        address(v6),
        address(b"\0" * 8),
        address(b"\0" * 32),
        address(_OTHER_V4 + b"\xff" * 4),
        address(b"\xc0\0\2\1\xff\xff\xff\0"),
        mail("good.test"),
        mail("a@good.test"),
        mail(".test"),
        uri("good.test"),
        uri(".good.test"),
        uri("https://good.test"),
        directory(name("", "Org")),
        directory(name("", "ORG")),
        directory(name("good.test", "Org")),
        directory(name("", "Other")),
        directory(seq()),
        tlv(0xA0, oid("1.2.3.4"), tlv(0xA0, tlv(0x0C, b"x"))),
        tlv(0x88, oid("1.2.3")[2:]),
    )
    return [chance.choice(every) for _ in range(chance.choice((0, 1, 1, 2, 3)))]


@defect
def nested_constraints(draft: Draft) -> None:
    """Constraints of one to three CAs at once, against leaves with several kinds of names."""
    chance = draft.chance
    holders = [*draft.middles, *([draft.root] if chance.random() < 0.3 else [])]
    for one in chance.sample(holders, chance.randrange(1, len(holders) + 1)):
        permitted, excluded = _subtrees(draft), _subtrees(draft)
        if chance.random() < 0.6:
            excluded = []
        if permitted or excluded:
            value = constraints(permitted, excluded)
            one.change("constraints", value, critical=chance.random() < 0.7)
    names = [dns("good.test")]
    more = (
        dns("shop.good.test"),
        dns("*.good.test"),
        dns("other.test"),
        address(_V4),
        address(_V6),
        mail("a@good.test"),
        mail("b@sub.good.test"),
        uri("https://good.test/x"),
        uri("https://sub.good.test:8443/"),
        uri("urn:x:y"),
        directory(name("good.test", "Org")),
        tlv(0xA0, oid("1.2.3.4"), tlv(0xA0, tlv(0x0C, b"x"))),
        tlv(0x88, oid("1.2.3")[2:]),
    )
    names += chance.sample(more, chance.choice((0, 0, 1, 2)))
    draft.leaf.change("san", seq(*names) if chance.random() < 0.9 else None)
    subjects = (name("good.test", "Org"), name("good.test"), name("", "Org"), name(), name("a b"))
    draft.leaf.subject = chance.choice(subjects)
    if chance.random() < 0.15:
        draft.host = "192.0.2.10"


@defect
def constrained_authorities(draft: Draft) -> None:
    """Constraints that a CA below, not the leaf, is outside of; self-issued ones among them."""
    chance = draft.chance
    holder = draft.root if chance.random() < 0.3 else draft.middles[0]
    below = authority("inner.bad.test", key("p256", 70))
    if chance.random() < 0.3:
        below.subject = draft.middles[-1].subject
    draft.middles.append(below)
    names = (seq(dns("inner.bad.test")), seq(directory(name("x", "Bad"))), seq(mail("a@bad.test")))
    if chance.random() < 0.7:
        below.change("san", chance.choice(names))
    bases = (dns("good.test"), directory(name("", "Org")), mail("good.test"), uri("good.test"))
    permitted = chance.sample(bases, chance.choice((1, 2)))
    excluded = [chance.choice((dns("bad.test"), directory(name("", "Bad"))))]
    value = constraints(*chance.choice(((permitted, []), ([], excluded), (permitted, excluded))))
    holder.change("constraints", value, critical=True)


@defect
def forms_of_constraints(draft: Draft) -> None:
    """Constraints in an odd form, in any certificate."""
    chance = draft.chance
    base = seq(dns("good.test"))
    odd = (
        seq(),
        seq(tlv(0xA0, base), tlv(0xA0, base)),
        seq(tlv(0xA0, seq(dns("good.test"), tlv(0x80, b"\0")))),
        seq(tlv(0xA0, seq(dns("good.test"), tlv(0x80, b"\2")))),
        seq(tlv(0xA0, seq(dns("good.test"), tlv(0x81, b"\3")))),
        seq(tlv(0xA0, seq(address(_V4 + b"\xff\0\xff\0")))),
        seq(tlv(0xA0, seq(address(_V4)))),
        seq(tlv(0xA1, seq(address(b"")))),
        seq(tlv(0xA1, seq(address(b"\0" * 33)))),
        seq(tlv(0xA0, seq(dns("*.good.test")))),
        seq(tlv(0xA0, seq(dns("good..test")))),
        seq(tlv(0xA0, seq(dns(b"\xff.test")))),
        seq(tlv(0xA1, seq(mail("a@b@c")))),
        seq(tlv(0xA1, seq(mail("@good.test")))),
        seq(tlv(0xA1, seq(uri("1.2.3.4")))),
        seq(tlv(0xA1, seq(tlv(0x8A, b"x")))),
        seq(base),
        seq(tlv(0xA0, base), b"\x05\0"),
        tlv(0x31, tlv(0xA0, base)),
        seq(tlv(0xA0, base)) + b"\0",
        b"",
    )
    one = chance.choice([draft.leaf, *draft.middles, *draft.middles, draft.root])
    one.change("constraints", chance.choice(odd), critical=chance.random() < 0.5)


# Policies

_P1, _P2, _ANY = "2.23.140.1.2.1", "2.23.140.1.2.2", "2.5.29.32.0"


@defect
def required_policies(draft: Draft) -> None:
    """Policies along the whole path, with constraints, mappings and limits of anyPolicy."""
    chance = draft.chance
    for place in range(chance.choice((0, 0, 1, 2))):
        draft.middles.append(authority(f"Policy {place}", key("p256", 75 + place)))
    chain = [*draft.middles, draft.leaf]
    for one in chain:
        if chance.random() < 0.75:
            some = chance.sample((_P1, _P1, _P2, _ANY), chance.choice((1, 1, 2)))
            one.change("policies", seq(*(seq(oid(each)) for each in dict.fromkeys(some))))
    for one in chance.sample(chain, chance.choice((1, 1, 2))):
        how, count = chance.randrange(5), chance.choice((b"\0", b"\0", b"\1", b"\2", b"\5"))
        critical = chance.random() < 0.7
        if how == 0:
            one.change("policy-constraints", seq(tlv(0x80, count)), critical=critical)
        elif how == 1:
            value = seq(tlv(0x80, count), tlv(0x81, chance.choice((b"\0", b"\1"))))
            one.change("policy-constraints", value, critical=critical)
        elif how == 2:
            one.change("any-policy", integer(count[0]), critical=critical)
            one.change("policy-constraints", seq(tlv(0x80, b"\0")), critical=critical)
        elif how == 3:
            pairs = [seq(oid(_P1), oid(chance.choice((_P2, _ANY, "1.2.3"))))]
            pairs += [seq(oid(_ANY), oid(_P1))] if chance.random() < 0.15 else []
            one.change("mappings", seq(*pairs), critical=critical)
            draft.middles[0].change("policy-constraints", seq(tlv(0x80, count)), critical=True)
        else:
            odd = (seq(), seq(tlv(0x80)), seq(tlv(0x80, b"\xff")), seq(tlv(0x82, b"\0")))
            one.change("policy-constraints", chance.choice(odd), critical=critical)
