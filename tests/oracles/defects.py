"""What can be wrong with one certificate of a chain: a function for each kind of defect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracles.making import (
    ANY,
    AT,
    CLIENT,
    DAY,
    OIDS,
    SERVER,
    Extension,
    Spec,
    authority,
    basic,
    bit_string,
    constraints,
    directory,
    dns,
    integer,
    key,
    moment,
    name,
    oid,
    purposes,
    seq,
    tlv,
    uri,
    usage,
)
from tests.oracles.registry import defect

if TYPE_CHECKING:
    from tests.oracles.corpus import Draft

# Time


@defect
def expired_leaf(draft: Draft) -> None:
    draft.leaf.ends = AT - draft.chance.choice((1, 60, DAY, 20 * DAY))


@defect
def expired_intermediate(draft: Draft) -> None:
    draft.middle().ends = AT - draft.chance.choice((1, DAY, 200 * DAY))


@defect
def expired_root(draft: Draft) -> None:
    draft.root.ends = AT - DAY


@defect
def not_yet_valid(draft: Draft) -> None:
    draft.some().starts = AT + draft.chance.choice((1, 3600, DAY))


@defect
def times_at_the_limit(draft: Draft) -> None:
    one = draft.some()
    if draft.chance.random() < 0.5:
        one.ends = AT + draft.chance.choice((0, 1))
    else:
        one.starts = AT - draft.chance.choice((0, 1))


@defect
def odd_time(draft: Draft) -> None:
    start, end = moment(AT - DAY), moment(AT + 30 * DAY)
    odd = draft.chance.choice(
        (
            (tlv(0x18, b"20260101000000Z"), tlv(0x18, b"20270101000000Z")),
            (tlv(0x17, b"2601010000Z"), end),
            (tlv(0x17, b"260101000000+0000"), end),
            (start, tlv(0x18, b"20270101000000.5Z")),
            (start, tlv(0x18, b"99991231235959Z")),
            (start, tlv(0x17, b"271301000000Z")),
            (tlv(0x18, b"00000101000000Z"), end),
            (tlv(0x17, b"500101000000Z"), end),
            (start, tlv(0x17, b"270101000060Z")),
            (start, tlv(0x17, b"270101240000Z")),
            (end, start),
        )
    )
    draft.some().validity = seq(*odd)


@defect
def long_lifetime(draft: Draft) -> None:
    draft.leaf.ends = draft.leaf.starts + draft.chance.choice((399, 826, 5000)) * DAY


# Issuers


@defect
def issuer_not_ca(draft: Draft) -> None:
    one = draft.middle()
    how = draft.chance.randrange(4)
    if how == 0:
        one.change("basic", basic(ca=False))
    elif how == 1:
        one.change("basic", None)
    elif how == 2:
        one.change("basic", None)
        one.change("usage", None)
    else:
        one.change("basic", basic(ca=False))
        one.change("usage", usage("digitalSignature"))


@defect
def issuer_may_not_sign(draft: Draft) -> None:
    draft.middle().change(
        "usage",
        draft.chance.choice((usage("cRLSign"), usage("digitalSignature"), usage())),
    )


@defect
def path_length(draft: Draft) -> None:
    while len(draft.middles) < 2:
        draft.middles.append(authority("Deeper", key("p256", 9)))
    draft.middles[0].change("basic", basic(ca=True, path_length=0))
    if draft.chance.random() < 0.3:
        draft.middles[0].change("basic", basic(ca=True))
        draft.root.change("basic", basic(ca=True, path_length=draft.chance.randrange(2)))


@defect
def odd_root(draft: Draft) -> None:
    root = draft.root
    elsewhere = constraints([dns("elsewhere.test")], [])
    odd: tuple[tuple[str, bytes | None], ...] = (
        ("basic", None),
        ("basic", basic(ca=False)),
        ("basic", basic(ca=True, path_length=0)),
        ("usage", usage("cRLSign")),
        ("purposes", purposes(CLIENT)),
        ("constraints", elsewhere),
        ("unknown", b"\x05\0"),
    )
    how = draft.chance.randrange(12)
    if how < len(odd):
        kind, value = odd[how]
        root.change(kind, value, critical=kind in {"constraints", "unknown"} or None)
    elif how == 7:
        root.extensions, root.version, root.key_id, root.issuer_id = [], None, False, False
    elif how == 8:
        root.issuer_id = seq(tlv(0x80, b"another key"))
    elif how == 9:
        root.algorithm = "ecdsa-sha1"
    elif how == 10:
        root.spoilt = True
    else:
        root.starts, root.ends = AT + DAY, AT + 99 * DAY


@defect
def key_ids(draft: Draft) -> None:
    """Key identifiers that are missing, or of somebody else."""
    own = draft.chance.choice([draft.leaf, *draft.middles, draft.root])
    how = draft.chance.randrange(8)
    if how == 0:
        own.key_id = False
    elif how == 1:
        own.issuer_id = False
    elif how == 2:
        own.key_id = own.issuer_id = False
    elif how == 3:
        own.issuer_id = seq(tlv(0x80, b"another key"))
    elif how == 4:
        own.issuer_id = seq(tlv(0xA1, directory(name("Nobody"))), tlv(0x82, b"\1"))
    elif how == 5:
        own.change("ski", tlv(4, b"another key"), critical=False)
    elif how == 6:
        own.issuer_id = seq()
    else:
        own.change("ski", tlv(4, b""), critical=False)


@defect
def version(draft: Draft) -> None:
    one = draft.some()
    one.version = draft.chance.choice((None, 0, 1, 3, 4, 100))
    if draft.chance.random() < 0.4:
        one.extensions, one.key_id, one.issuer_id = [], False, False
        if one is draft.leaf:
            one.subject = name("good.test")


@defect
def serial(draft: Draft) -> None:
    odd = (b"\0", b"\x80", b"\xff\x01", b"\1" * 21, b"\1" * 20, b"\0\1", b"\x7f" + b"\1" * 60, b"")
    draft.some().serial = draft.chance.choice(odd)


# Usage


@defect
def wrong_purpose(draft: Draft) -> None:
    value = draft.chance.choice((purposes(CLIENT), purposes(ANY), purposes("1.2.3.4")))
    draft.leaf.change("purposes", value, critical=draft.chance.random() < 0.3)


@defect
def no_purpose(draft: Draft) -> None:
    draft.leaf.change("purposes", draft.chance.choice((None, purposes(SERVER, CLIENT))))


@defect
def issuer_purpose(draft: Draft) -> None:
    gated = ("1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1")
    choices = (
        (SERVER,),
        (CLIENT,),
        (ANY,),
        (CLIENT, ANY),
        (CLIENT, SERVER),
        *((one,) for one in gated),
    )
    one = draft.root if draft.chance.random() < 0.2 else draft.middle()
    one.change("purposes", purposes(*draft.chance.choice(choices)))
    if draft.chance.random() < 0.3:
        draft.leaf.change("purposes", purposes(*draft.chance.choice(choices)))


@defect
def leaf_usage(draft: Draft) -> None:
    kinds = ("digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment")
    more = ("keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly")
    names = draft.chance.sample(kinds + more, draft.chance.choice((0, 1, 1, 1, 2, 3)))
    draft.leaf.change("usage", usage(*names), critical=draft.chance.random() < 0.7)
    if draft.chance.random() < 0.4:
        draft.leaf.key = draft.own_key("rsa2048")
    if draft.chance.random() < 0.2:
        draft.leaf.change("purposes", None)


@defect
def ca_leaf(draft: Draft) -> None:
    draft.leaf.change("basic", basic(ca=True, path_length=draft.chance.choice((None, 0, 1))))
    if draft.chance.random() < 0.5:
        draft.leaf.change("usage", usage("digitalSignature", "keyCertSign"))


@defect
def unknown_critical(draft: Draft) -> None:
    kind = draft.chance.choice(("unknown", "unknown", "poison", "1.3.6.1.5.5.7.1.31"))
    value = tlv(4, b"\0" * 32) if kind.startswith("1.3.6.1.5") else b"\x05\0"
    draft.some().change(kind, value, critical=True)


@defect
def critical_extensions(draft: Draft) -> None:
    """Known extensions, each marked critical although few clients expect it."""
    point = seq(tlv(0xA0, tlv(0xA0, uri("http://ca.test/c.crl"))))
    access = seq(oid("1.3.6.1.5.5.7.48.1"), uri("http://ca.test/o"))
    values = {
        "crl": seq(point),
        "freshest": seq(point),
        "aia": seq(access),
        "issuer-san": seq(dns("ca.test")),
        "feature": seq(integer(5)),
        "policies": seq(seq(oid("1.2.3.4"))),
        "mappings": seq(seq(oid("1.2.3.4"), oid("1.2.3.5"))),
        "policy-constraints": seq(tlv(0x81, b"\0")),
        "any-policy": integer(0),
        "scts": tlv(4, b"\0\0"),
        "2.5.29.16": seq(tlv(0x80, b"20200101000000Z")),
        "2.5.29.9": seq(),
        "1.3.6.1.5.5.7.1.3": seq(),
        "1.3.6.1.5.5.7.1.11": seq(access),
        "2.16.840.1.113730.1.1": bit_string(b"\x40", 6),
        "2.16.840.1.113730.1.13": tlv(0x16, b"a comment"),
        "1.3.6.1.5.5.7.48.1.5": b"\x05\0",
        "1.3.6.1.5.5.7.1.14": seq(seq(oid("1.3.6.1.5.5.7.21.1"))),
        "1.3.6.1.5.5.7.1.7": seq(),
        "2.5.29.56": b"\x05\0",
    }
    kind = draft.chance.choice((*values, "ski", "aki", "san", "purposes", "basic"))
    one = draft.some()
    if kind in values:
        one.change(kind, values[kind], critical=draft.chance.random() < 0.8)
    elif kind == "ski":
        one.change("ski", tlv(4, one.key.identifier), critical=True)
    elif kind == "aki":
        above = [draft.root, *draft.middles, draft.leaf]
        signer = above[above.index(one) - 1]
        one.change("aki", seq(tlv(0x80, signer.key.identifier)), critical=True)
    elif found := one.get(kind):
        found.critical = not found.critical


@defect
def policies(draft: Draft) -> None:
    """Certificate policies and what constrains them."""
    choose = draft.chance.choice
    chain = [draft.leaf, *draft.middles]
    for one in chain:
        if draft.chance.random() < 0.5:
            wanted = [choose(("1.2.3.4", "1.2.3.5", "2.5.29.32.0")) for _ in range(choose((1, 2)))]
            one.change("policies", seq(*(seq(oid(p)) for p in dict.fromkeys(wanted))))
    holder = draft.root if draft.chance.random() < 0.2 else draft.middle()
    what = choose(("require", "inhibit", "any", "mapping", "require", "double"))
    skip = choose((0, 0, 1, 2))
    if what == "require":
        value = seq(tlv(0x80, bytes([skip])))
        holder.change("policy-constraints", value, critical=draft.chance.random() < 0.8)
    elif what == "inhibit":
        holder.change("policy-constraints", seq(tlv(0x81, bytes([skip]))), critical=True)
    elif what == "any":
        holder.change("any-policy", integer(skip), critical=draft.chance.random() < 0.8)
    elif what == "mapping":
        pair = seq(oid("1.2.3.4"), oid(choose(("1.2.3.5", "2.5.29.32.0"))))
        holder.change("mappings", seq(pair), critical=draft.chance.random() < 0.5)
    else:
        value = seq(seq(oid("1.2.3.4")), seq(oid("1.2.3.4")))
        draft.some().change("policies", value, critical=draft.chance.random() < 0.3)


# Decoding

_BROKEN = (b"", b"\x05\0", b"\x30\x03\1", b"\xff\xff", b"\x30\x80\0\0", b"\x30\x00\0", b"\x04\x01")


@defect
def broken_extension(draft: Draft) -> None:
    """An extension that does not decode, in leaf or CA."""
    kinds = [one for one in OIDS if one not in {"unknown", "poison", "scts"}]
    kind = draft.chance.choice(kinds)
    one = draft.some()
    one.change(kind, draft.chance.choice(_BROKEN))
    if draft.chance.random() < 0.3:
        one.change(kind, one.get(kind).value, critical=True)  # type: ignore[union-attr]  # set above


@defect
def broken_leaf_basics(draft: Draft) -> None:
    """The extensions that every client reads, broken in the ways of real encoders."""
    one = draft.some()
    kind, value = draft.chance.choice(
        (
            ("usage", bit_string(b"\x80", 9)),
            ("usage", bit_string(b"\x81", 7)),
            ("usage", tlv(3)),
            ("usage", tlv(4, b"\x80")),
            ("usage", bit_string(b"\xa0\0\0", 0)),
            ("basic", seq(b"\x01\x01\x01")),
            ("basic", seq(b"\x01\x01\x00")),
            ("basic", seq(b"\x01\x02\xff\xff")),
            ("basic", seq(integer(0))),
            ("basic", seq(b"\x01\x01\xff", integer(-1))),
            ("basic", seq(b"\x01\x01\xff", integer(1 << 40))),
            ("basic", seq(b"\x01\x01\xff", integer(1), integer(2))),
            ("basic", seq(b"\x01\x01\xff") + b"\0\0"),
            ("purposes", seq()),
            ("purposes", seq(tlv(6))),
            ("purposes", seq(tlv(6, b"\x80\x01"))),
            ("purposes", seq(tlv(6, b"\x2b\x86"))),
            ("purposes", seq(oid(SERVER), oid(SERVER))),
            ("purposes", seq(oid(SERVER), integer(1))),
            ("purposes", oid(SERVER)),
            ("ski", tlv(4)),
            ("aki", seq(tlv(0x81, b"x"))),
            ("aki", tlv(4, b"x")),
        )
    )
    one.change(kind, value)


@defect
def duplicate_extension(draft: Draft) -> None:
    one = draft.some()
    one.twice = draft.chance.choice(("basic", "usage", "ski", "san", "unknown"))
    if one.twice in {"unknown", "san"} and not one.get(one.twice):
        one.change(one.twice, seq(dns("good.test")))


@defect
def algorithms_differ(draft: Draft) -> None:
    """The algorithm inside the signed part is not the one outside."""
    from tests.oracles.making import ALGORITHMS  # noqa: PLC0415

    one = draft.some()
    other = draft.chance.choice(("ecdsa-sha384", "ecdsa-sha512", "rsa-sha256", "ecdsa-sha1"))
    if draft.chance.random() < 0.8:
        one.inner = ALGORITHMS[other]
    else:
        null = seq(oid("1.2.840.10045.4.3.2"), b"\x05\0")
        one.inner, one.outer = null, draft.chance.choice((b"", null))


@defect
def mutation(draft: Draft) -> None:
    """Octets of the finished leaf changed, cut or added."""
    chance = draft.chance

    def spoil(der: bytes) -> bytes:
        at = chance.randrange(len(der))
        how = chance.randrange(6)
        if how < 3:
            return der[:at] + bytes([der[at] ^ 1 << chance.randrange(8)]) + der[at + 1 :]
        if how == 3:
            return der[: max(at, 1)]
        if how == 4:
            return der + bytes(chance.randrange(1, 4))
        return der[:at] + bytes([chance.randrange(256)]) + der[at:]

    draft.rewrite = spoil


@defect
def signed_mutation(draft: Draft) -> None:
    """An octet of an extension changed before the certificate was signed."""
    one = draft.some()
    extension = draft.chance.choice(one.extensions)
    octets = bytearray(extension.value)
    octets[draft.chance.randrange(len(octets))] ^= 1 << draft.chance.randrange(8)
    extension.value = bytes(octets)


# Keys and signatures


@defect
def bad_signature(draft: Draft) -> None:
    draft.some().spoilt = True


def _rsa(draft: Draft, bits: int = 2048) -> None:
    """RSA for every CA of the chain."""
    for place, one in enumerate([draft.root, *draft.middles]):
        one.key = key(f"rsa{bits}", place % 2)


@defect
def weak_signature(draft: Draft) -> None:
    _rsa(draft)
    weak = draft.chance.choice(("rsa-sha1", "rsa-sha1", "rsa-md5", "rsa-sha224"))
    draft.some().algorithm = weak
    if draft.chance.random() < 0.2:
        draft.root.algorithm = weak


@defect
def rsa_signatures(draft: Draft) -> None:
    _rsa(draft)
    kinds = ("rsa-sha256", "rsa-sha384", "rsa-sha512", "pss-sha256", "pss-sha384")
    draft.some().algorithm = draft.chance.choice(kinds)
    if draft.chance.random() < 0.5:
        draft.leaf.key = draft.own_key("rsa2048")


@defect
def weak_key(draft: Draft) -> None:
    one = draft.chance.choice([draft.leaf, draft.leaf, draft.root, *draft.middles])
    one.key = key(draft.chance.choice(("rsa1024", "rsa1024", "rsa1536")), 5)
    if one is not draft.leaf:
        one.change("ski", None)


@defect
def key_kinds(draft: Draft) -> None:
    """A leaf's key is of a kind that the flight's cipher can go with."""
    own = ("p384", "p521", "explicit", "rsa2048", "rsa3072", "ed25519")
    others = ("p192", "p224", "k256", "brainpool", "dsa", "ed448")
    one = draft.chance.choice([draft.leaf, draft.root, draft.middles[0]])
    one.key = draft.own_key(draft.chance.choice(own if one is draft.leaf else own + others))


@defect
def post_quantum(draft: Draft) -> None:
    """In CAs; a server needs TLS 1.3 for it."""
    one = draft.chance.choice([draft.root, draft.middles[0]])
    one.key = draft.own_key(draft.chance.choice(("mldsa44", "mldsa65")))


@defect
def odd_key(draft: Draft) -> None:
    """A public key that does not decode, or not on its curve."""
    p256 = seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"))
    rsa = seq(oid("1.2.840.113549.1.1.1"), b"\x05\0")
    modulus = integer((1 << 2047) + 9)
    draft.leaf.spki = draft.chance.choice(
        (
            seq(p256, bit_string(b"\4" + b"\1" * 64)),
            seq(p256, bit_string(b"\4" + b"\1" * 63)),
            seq(p256, bit_string(b"\0")),
            seq(seq(oid("1.2.840.10045.2.1")), bit_string(b"\4" + b"\1" * 64)),
            seq(rsa, bit_string(seq(modulus, integer(65537)))),
            seq(rsa, bit_string(seq(modulus, integer(1)))),
            seq(rsa, bit_string(seq(modulus, integer(2)))),
            seq(rsa, bit_string(seq(modulus))),
            seq(rsa, bit_string(seq(integer(-5), integer(65537)))),
            seq(rsa, bit_string(seq(modulus, integer(65537)) + b"\0")),
            seq(seq(oid("1.2.840.113549.1.1.1")), bit_string(seq(modulus, integer(65537)))),
            seq(seq(oid("1.2.3.4.5")), bit_string(b"\1\2\3")),
        )
    )


# Issuers that are not there


@defect
def self_signed(draft: Draft) -> None:
    draft.signer, draft.middles = draft.leaf, [authority("Unused", key("p256", 9))]
    kept = draft.chance.random() < 0.7
    draft.arrange.append(lambda sent: sent[:1] if kept else sent)


@defect
def untrusted_root(draft: Draft) -> None:
    draft.trusted, draft.with_root = False, draft.chance.random() < 0.5


@defect
def missing_intermediate(draft: Draft) -> None:
    gone = draft.chance.randrange(1, len(draft.middles) + 1)
    draft.arrange.append(lambda sent: sent[:gone] + sent[gone + 1 :])


@defect
def wrong_intermediate(draft: Draft) -> None:
    other = authority("Another Issuer", key("p256", 9))
    der = other.issue(draft.root)
    draft.arrange.append(lambda sent: [sent[0], der, *sent[2:]])


@defect
def renewed_intermediate(draft: Draft) -> None:
    """The CA's certificate is the one of another key."""
    old = draft.middles[-1]
    new = Spec(old.subject, key("p256", 9), list(old.extensions), old.starts, old.ends)
    der = new.issue(draft.root)
    draft.arrange.append(lambda sent: [sent[0], der, *sent[2:]])
    draft.leaf.issuer_id = draft.chance.random() < 0.5


@defect
def must_staple(draft: Draft) -> None:
    one = draft.some()
    one.extensions.append(Extension("feature", seq(integer(draft.chance.choice((5, 5, 17))))))


MAIN = (
    "expired-leaf",
    "expired-intermediate",
    "not-yet-valid",
    "wrong-host",
    "no-san",
    "self-signed",
    "untrusted-root",
    "missing-intermediate",
    "wrong-intermediate",
    "renewed-intermediate",
    "weak-signature",
    "weak-key",
    "wrong-purpose",
    "issuer-purpose",
    "leaf-usage",
    "unknown-critical",
    "name-constraints",
    "issuer-not-ca",
    "issuer-may-not-sign",
    "path-length",
    "bad-signature",
    "duplicate-extension",
    "algorithms-differ",
    "ca-leaf",
    "broken-extension",
    "key-ids",
)
"""The defects that are also drawn in pairs."""
