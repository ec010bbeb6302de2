"""A second stream of defects: drawn from what standards say of the parts of a certificate.

`defects.py` was drawn together with the policies. These kinds were drawn apart from them, from RFC
5280, the CA/Browser Forum's baseline requirements and the kinds of public suites (x509-limbo,
BetterTLS, Frankencert), with values of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracles.making import (
    ALGORITHMS,
    ANY,
    AT,
    CLIENT,
    DAY,
    SERVER,
    Extension,
    Spec,
    authority,
    basic,
    bit_string,
    directory,
    dns,
    integer,
    key,
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

_SHA256 = "2.16.840.1.101.3.4.2.1"
_CODE, _MAIL, _STAMP, _OCSP = (f"1.3.6.1.5.5.7.3.{number}" for number in (3, 4, 8, 9))


def _any_of(draft: Draft) -> Spec:
    """Any certificate, the root too."""
    return draft.chance.choice([draft.leaf, *draft.middles, draft.root])


def _rsa(draft: Draft, bits: int = 2048) -> None:
    for place, one in enumerate([draft.root, *draft.middles]):
        one.key = key(f"rsa{bits}", place % 2)


# Issuers


@defect
def lengths_of_paths(draft: Draft) -> None:
    """Path lengths on several CAs at once, with self-issued ones between them."""
    chance = draft.chance
    for place in range(chance.randrange(4)):
        draft.middles.append(authority(f"Further {place}", key("p256", 60 + place)))
    if chance.random() < 0.3:
        at = chance.randrange(len(draft.middles))
        again = authority("x", key("p256", 66))
        again.subject = draft.middles[at].subject
        draft.middles.insert(at + 1, again)
    for one in [draft.root, *draft.middles]:
        if chance.random() < 0.5:
            one.change("basic", basic(ca=True, path_length=chance.choice((0, 1, 1, 2, 3, 4))))


@defect
def basics_of_others(draft: Draft) -> None:
    """basicConstraints that contradict keyUsage, or lack what a CA or leaf should have."""
    chance = draft.chance
    one = _any_of(draft)
    value = chance.choice(
        (
            None,
            basic(ca=False),
            basic(ca=False, path_length=0),
            basic(ca=False, path_length=3),
            basic(ca=True),
            basic(ca=True, path_length=127),
            basic(ca=True, path_length=128),
            basic(ca=True, path_length=256),
            basic(ca=True, path_length=70_000),
            seq(b"\x01\x01\xff", b"\x02\x02\x00\x01"),
            seq(b"\x01\x01\xff", integer(-5)),
            seq(b"\x01\x01\x00", integer(0)),
        )
    )
    one.change("basic", value, critical=chance.random() < 0.7)
    if chance.random() < 0.4:
        several = (None, usage("keyCertSign"), usage("digitalSignature", "keyCertSign"))
        one.change("usage", chance.choice(several), critical=chance.random() < 0.7)


@defect
def usages_of_all(draft: Draft) -> None:
    """Any keyUsage on any certificate."""
    chance = draft.chance
    names = ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment"]
    names += ("keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly")
    for one in chance.sample([draft.leaf, *draft.middles, draft.root], 2):
        chosen = chance.sample(names, chance.choice((0, 1, 2, 3, 9)))
        value = usage(*chosen) if chance.random() < 0.9 else None
        one.change("usage", value, critical=chance.random() < 0.6)
    if chance.random() < 0.3:
        draft.leaf.key = draft.own_key("rsa2048")


@defect
def purposes_nested(draft: Draft) -> None:
    """Purposes at every level."""
    chance = draft.chance
    every = (SERVER, SERVER, CLIENT, _CODE, _MAIL, _STAMP, _OCSP, ANY, "1.3.6.1.4.1.99999.1")
    chain = [draft.leaf, *draft.middles] + ([draft.root] if chance.random() < 0.3 else [])
    for one in chain:
        if chance.random() < 0.6:
            listed = [chance.choice(every) for _ in range(chance.choice((1, 1, 2, 3)))]
            value = purposes(*dict.fromkeys(listed))
            one.change("purposes", value, critical=chance.random() < 0.25)


# Extensions

_UNKNOWN = ("1.3.6.1.4.1.99999.7", "2.5.29.200", "1.3.6.1.5.5.7.1.99", "2.23.140.1.31", "2.5.29.1")


@defect
def unknown_extensions(draft: Draft) -> None:
    """Extensions that nobody knows, critical or not, with any content."""
    chance = draft.chance
    one = _any_of(draft)
    for identifier in chance.sample(_UNKNOWN, chance.choice((1, 1, 2))):
        value = chance.choice((b"", b"\x05\0", b"\x0c\x02hi", b"garbage", b"\xff" * 5, b"\x30\x80"))
        one.change(identifier, value, critical=chance.random() < 0.5)


@defect
def flags(draft: Draft) -> None:
    """Another critical flag on what is there."""
    chance = draft.chance
    one = _any_of(draft)
    one.change("aki", seq(tlv(0x80, _issuer_of(draft, one).key.identifier)))
    one.change("ski", tlv(4, one.key.identifier))
    for extension in chance.sample(one.extensions, chance.choice((1, 2))):
        extension.critical = not extension.critical


def _issuer_of(draft: Draft, one: Spec) -> Spec:
    chain = [draft.root, draft.root, *draft.middles, draft.leaf]
    return chain[max(1, next(at for at, x in enumerate(chain) if x is one and at)) - 1]


@defect
def flag_encodings(draft: Draft) -> None:
    """A critical flag that is written out, or odd; extensions in an odd form."""
    chance = draft.chance
    one, identifier = _any_of(draft), oid(chance.choice(("2.5.29.18", "1.3.6.1.4.1.99999.8")))
    value = tlv(4, seq(dns("x.test")))
    odd = (
        seq(identifier, b"\x01\x01\x00", value),
        seq(identifier, b"\x01\x01\x01", value),
        seq(identifier, b"\x01\x02\x00\x00", value),
        seq(identifier, b"\x01\x00", value),
        seq(identifier, tlv(2, b"\0"), value),
        seq(identifier, value, value),
    )
    one.raw_extensions = chance.choice(odd)


@defect
def lists_of_extensions(draft: Draft) -> None:
    """No extensions, an empty list, unique identifiers, or a field that does not belong."""
    chance = draft.chance
    one = _any_of(draft)
    how = chance.randrange(7)
    if how == 0:
        one.extensions, one.key_id, one.issuer_id = [], False, False
    elif how == 1:
        one.extensions, one.key_id, one.issuer_id = [], False, False
        one.fields = tlv(0xA3, seq())
    else:
        fields = (b"\x81\x02\0\x01", b"\x82\x02\0\x01", b"\x81\x02\0\1\x82\x02\0\1", b"\x82\1\0")
        one.fields = fields[how - 2] if how < 6 else tlv(0xA4, seq())
        one.version = chance.choice((2, 2, 1))


@defect
def twice_with_other_values(draft: Draft) -> None:
    """The same extension two or three times, with other values."""
    chance = draft.chance
    one = draft.some()
    values = {
        "basic": (basic(ca=False), basic(ca=True)),
        "usage": (usage("digitalSignature"), usage("keyCertSign")),
        "san": (seq(dns("good.test")), seq(dns("other.test"))),
        "purposes": (purposes(SERVER), purposes(CLIENT)),
        "policies": (seq(seq(oid("1.2.3.4"))), seq(seq(oid("2.23.140.1.2.1")))),
        "aia": (seq(), seq(seq(oid("1.3.6.1.5.5.7.48.1"), uri("http://o.test")))),
        "crl": (seq(), seq(seq())),
        "constraints": (seq(tlv(0xA0, seq(dns("good.test")))),) * 2,
        "1.3.6.1.4.1.99999.7": (b"\x05\0", b"\x05\0"),
        "ski": (tlv(4, b"one"), tlv(4, b"two")),
    }
    kind = chance.choice(list(values))
    more = [Extension(kind, value) for value in values[kind]]
    one.extensions += more[: 1 if one.get(kind) else 2]


@defect
def informative_extensions(draft: Draft) -> None:
    """Extensions that say something that clients need not know, in good and odd forms."""
    chance = draft.chance
    values = {
        "aia": (
            seq(),
            seq(seq(oid("1.3.6.1.5.5.7.48.2"), uri("http://127.0.0.1:9/ca.crt"))),
            seq(seq(oid("1.3.6.1.5.5.7.48.1"), uri("ldap://x"))),
            seq(seq(oid("1.3.6.1.5.5.7.48.1"), dns("x.test"))),
            seq(seq(oid("1.3.6.1.5.5.7.48.1"))),
            seq(seq(oid("1.3.6.1.5.5.7.48.1"), uri("http://b\xfc.test"))),
        ),
        "1.3.6.1.5.5.7.1.11": (seq(), seq(seq(oid("1.3.6.1.5.5.7.48.5"), uri("http://x.test")))),
        "crl": (
            seq(),
            seq(seq()),
            seq(seq(tlv(0xA0, tlv(0xA0, uri("http://ca.test/1.crl"))))),
            seq(seq(tlv(0xA0, tlv(0xA0, uri("file:///x"))), tlv(0x81, b"\x06\x40"))),
            seq(seq(tlv(0xA2, directory(name("CRL issuer"))))),
            seq(seq(tlv(0xA0, tlv(0xA1, seq(oid("2.5.4.3"), tlv(0x0C, b"x")))))),
        ),
        "policies": (
            seq(),
            seq(seq(oid("2.23.140.1.2.1"))),
            seq(seq(oid("2.23.140.1.2.1")), seq(oid("2.23.140.1.2.2"))),
            seq(seq(oid("1.2.3"), seq(seq(oid("1.3.6.1.5.5.7.2.1"), tlv(0x16, b"http://c"))))),
            seq(seq(oid("1.2.3"), seq(seq(oid("1.3.6.1.5.5.7.2.2"), seq(tlv(0x0C, b"n")))))),
            seq(seq(oid("1.2.3"), seq())),
            seq(seq()),
        ),
        "scts": (
            tlv(4, b"\0\0"),
            tlv(4),
            tlv(4, b"\0\x05abc"),
            b"",
            b"\0\0",
            tlv(4, b"\0\4\0\2ab"),
        ),
        "2.16.840.1.113730.1.1": (bit_string(b"\x40", 6), bit_string(b"\x80", 7), b"\x05\0"),
        "2.16.840.1.113730.1.13": (tlv(0x16, b"made by hand"), tlv(0x0C, b"x")),
        "2.5.29.16": (seq(tlv(0x80, b"20200101000000Z"), tlv(0x81, b"20210101000000Z")), seq()),
        "2.5.29.9": (seq(), seq(seq(oid("2.5.4.3"), tlv(0x31)))),
        "1.3.6.1.5.5.7.1.3": (seq(seq(oid("0.4.0.1862.1.1"))), seq(), b"\x05\0"),
        "issuer-san": (seq(), seq(dns("ca.test")), seq(uri("x")), seq(tlv(0x87, b"\1")), b"\x05\0"),
        "freshest": (seq(seq()), seq()),
        "1.3.6.1.5.5.7.48.1.5": (b"\x05\0", b"\x30\0"),
        "1.3.6.1.5.5.7.1.26": (seq(seq(oid("1.2.3"))),),
        "2.5.29.20": (integer(5),),
        "2.5.29.28": (seq(b"\x81\x01\xff"),),
        "1.3.6.1.4.1.311.20.2": (tlv(0x1E, b"\0W\0e\0b"),),
        "1.3.6.1.4.1.311.21.7": (seq(oid("1.3.6.1.4.1.311.21.8.1"), integer(100)),),
        "1.2.840.113533.7.65.0": (seq(tlv(0x1B, b"V7.1"), bit_string(b"\x80", 7)),),
        "feature": (seq(), seq(integer(17)), seq(integer(5), integer(17)), seq(integer(99))),
    }
    for kind in chance.sample(list(values), chance.choice((1, 1, 2))):
        value = chance.choice(values[kind])
        _any_of(draft).change(kind, value, critical=chance.random() < 0.15)


@defect
def key_identifiers(draft: Draft) -> None:
    """Identifiers in every form, on any certificate."""
    chance = draft.chance
    one = _any_of(draft)
    issuer = _issuer_of(draft, one)
    right, own = tlv(0x80, issuer.key.identifier), tlv(0x82, b"\1\2\3")
    issuer_name = issuer.subject if issuer.issuer is None else issuer.issuer
    named = tlv(0xA1, directory(issuer_name))
    other = tlv(0xA1, directory(name("Someone Else")))
    one.issuer_id = chance.choice(
        (
            False,
            seq(),
            seq(tlv(0x80)),
            seq(tlv(0x80, b"\xaa" * 20)),
            seq(tlv(0x80, issuer.key.identifier[:8])),
            seq(tlv(0x80, issuer.key.identifier * 4)),
            seq(right, named),
            seq(right, named, own),
            seq(right, other, own),
            seq(named, own),
            seq(own),
            seq(right, own),
            seq(other),
            seq(right, tlv(0xA1, dns("ca.test")), own),
            seq(tlv(0xA0, tlv(4, issuer.key.identifier))),
            seq(tlv(0x83, b"x")),
            seq(right) + b"\0",
        )
    )
    if chance.random() < 0.4:
        issuer.serial = chance.choice((b"\1\2\3", b"\1\2\4"))
    if chance.random() < 0.3:
        identifiers = (tlv(4), tlv(4, b"\xbb" * 20), tlv(4, b"x" * 100), tlv(3, b"\0x"), b"")
        _any_of(draft).change("ski", chance.choice(identifiers))


# Fields


_ENDS = (
    (0x17, b"491231235959Z"),
    (0x17, b"500101000000Z"),
    (0x18, b"20491231235959Z"),
    (0x18, b"20500101000000Z"),
    (0x18, b"99991231235959Z"),
    (0x18, b"20270101000000Z"),
    (0x17, b"2701010000Z"),
    (0x18, b"202701010000Z"),
    (0x18, b"20270101000000.0Z"),
    (0x17, b"270101000000+0100"),
    (0x18, b"20270101000000+0100"),
    (0x18, b"20270101000000"),
    (0x17, b"270101000000"),
    (0x17, b"270101000000z"),
    (0x17, b"270229000000Z"),
    (0x17, b"280229000000Z"),
    (0x17, b"270431000000Z"),
    (0x17, b"270001000000Z"),
    (0x17, b"270100000000Z"),
    (0x17, b"2701010a0000Z"),
    (0x17, b"270101006000Z"),
    (0x17, b" 70101000000Z"),
    (0x17, b""),
    (0x16, b"270101000000Z"),
    (0x17, b"270101235960Z"),
)
_STARTS = (
    (0x17, b"500101000000Z"),
    (0x17, b"700101000000Z"),
    (0x17, b"691231235959Z"),
    (0x18, b"19491231235959Z"),
    (0x18, b"00000101000000Z"),
    (0x18, b"19700101000000Z"),
    (0x18, b"20260101000000Z"),
    (0x17, b"2601010000Z"),
    (0x17, b"260101000000-0500"),
    (0x18, b"20260101000000.123Z"),
    (0x17, b"260101000000"),
    (0x17, b"261301000000Z"),
    (0x17, b"260101250000Z"),
    (0x17, b""),
)


@defect
def times_of_all_forms(draft: Draft) -> None:
    chance = draft.chance
    start, end = (0x17, b"260901000000Z"), (0x17, b"270201000000Z")
    if chance.random() < 0.7:
        end = chance.choice(_ENDS)
    else:
        start = chance.choice(_STARTS)
    one = _any_of(draft) if chance.random() < 0.5 else draft.leaf
    one.validity = seq(tlv(*start), tlv(*end))


@defect
def edges_of_time(draft: Draft) -> None:
    """Begins or ends within two seconds of now, on any certificate; or ends before it begins."""
    chance = draft.chance
    one = _any_of(draft)
    how = chance.randrange(4)
    if how == 0:
        one.ends = AT + chance.choice((-2, -1, 0, 1, 2))
    elif how == 1:
        one.starts = AT + chance.choice((-2, -1, 0, 1, 2))
    elif how == 2:
        one.starts = one.ends = AT + chance.choice((-1, 0, 1))
    else:
        one.starts, one.ends = AT + DAY, AT - DAY


@defect
def serials(draft: Draft) -> None:
    chance = draft.chance
    odd = [b"\0", b"\xff", b"\x80\0", b"\0\x80", b"\0\0\1", b"\xff\xff\1", b"\0" + b"\xff" * 20]
    odd += (b"\x7f" * 20, b"\x7f" * 21, b"\0" * 8, b"\1" * 130, b"")
    for one in chance.sample([draft.leaf, *draft.middles, draft.root], chance.choice((1, 2))):
        one.serial = chance.choice(odd)


@defect
def versions(draft: Draft) -> None:
    """Version 1 and 2 with and without extensions, and versions that there are not."""
    chance = draft.chance
    one = _any_of(draft)
    one.version = chance.choice((None, None, 0, 1, 2, 3, 5, 127))
    if chance.random() < 0.5:
        one.extensions, one.key_id, one.issuer_id = [], False, False


@defect
def behind_the_end(draft: Draft) -> None:
    """Octets behind a certificate or within its parts."""
    chance = draft.chance
    how, more = chance.randrange(4), chance.choice((b"\0", b"\0\0", b"\x05\0", b"\n", b"garbage"))
    if how == 0:
        draft.rewrite = lambda der: der + more
    elif how == 1:
        place = chance.randrange(1, len(draft.middles) + 1)
        draft.arrange.append(lambda sent: [*sent[:place], sent[place] + more, *sent[place + 1 :]])
    elif how == 2:
        one = draft.some()
        extension = chance.choice(one.extensions)
        extension.value += more
    else:
        draft.some().fields = chance.choice((b"\0\0", b"\x05\0"))


# Keys and signatures


@defect
def sizes_of_rsa(draft: Draft) -> None:
    chance = draft.chance
    one = chance.choice([draft.leaf, draft.leaf, draft.root, *draft.middles])
    one.key = key(f"rsa{chance.choice((1024, 1536, 2040, 2047, 2049, 3072, 4096))}", 7)


@defect
def curves(draft: Draft) -> None:
    """Any curve for a CA; for a leaf those that its cipher goes with."""
    chance = draft.chance
    kinds = ("p224", "p384", "p521", "k256", "brainpool", "p192", "ed25519", "ed448", "explicit")
    one = chance.choice([draft.leaf, draft.root, *draft.middles])
    leaf_kinds = ("p384", "p521", "ed25519")
    one.key = draft.own_key(chance.choice(leaf_kinds if one is draft.leaf else kinds))
    if chance.random() < 0.3:
        draft.root.key = draft.own_key(chance.choice(kinds))


@defect
def digests(draft: Draft) -> None:
    """Old and unusual digests, signed by RSA or ECDSA, on any certificate."""
    chance = draft.chance
    if chance.random() < 0.6:
        _rsa(draft)
        names = ["rsa-md5", "rsa-sha1", "rsa-sha224", "rsa-sha384", "rsa-sha512", "pss-sha384"]
    else:
        names = ["ecdsa-sha1", "ecdsa-sha224", "ecdsa-sha384", "ecdsa-sha512"]
    for one in chance.sample([draft.leaf, *draft.middles, draft.root], chance.choice((1, 1, 2))):
        one.algorithm = chance.choice(names)


@defect
def salted_signatures(draft: Draft) -> None:
    """RSA-PSS whose parameters are absent, default, of another digest, salt or trailer."""
    chance = draft.chance
    _rsa(draft)
    pss, mask = oid("1.2.840.113549.1.1.10"), oid("1.2.840.113549.1.1.8")
    sha256, sha384 = seq(oid(_SHA256), b"\x05\0"), seq(oid("2.16.840.1.101.3.4.2.2"), b"\x05\0")
    digest, other = tlv(0xA0, sha256), tlv(0xA1, seq(mask, sha384))
    own, salt = tlv(0xA1, seq(mask, sha256)), tlv(0xA2, integer(32))
    bare = seq(oid(_SHA256))
    named = chance.choice(
        (
            seq(pss, seq(digest, own, salt)),
            seq(pss, seq(tlv(0xA0, bare), tlv(0xA1, seq(mask, bare)), salt)),
            seq(pss, seq(digest, own, salt, tlv(0xA3, integer(1)))),
            seq(pss, seq(digest, other, salt)),
            seq(pss, seq()),
            seq(pss),
            seq(pss, b"\x05\0"),
        )
    )
    one = draft.some()
    one.algorithm, one.inner, one.outer = "pss-sha256", named, named
    if chance.random() < 0.5:
        one.inner = one.outer = b""
        one.algorithm = chance.choice(("pss-sha384", "pss20-sha256", "pss222-sha256"))


@defect
def parameters(draft: Draft) -> None:
    """Parameters of signature algorithms that are missing or too many, inside and outside."""
    chance = draft.chance
    one = draft.some()
    if chance.random() < 0.5:
        _rsa(draft)
        good, bare = ALGORITHMS["rsa-sha256"], seq(oid("1.2.840.113549.1.1.11"))
    else:
        bare = ALGORITHMS["ecdsa-sha256"]
        good = seq(oid("1.2.840.10045.4.3.2"), b"\x05\0")
    both = chance.choice(((good, bare), (bare, good), (bare, bare), (good, good)))
    one.inner, one.outer = both


@defect
def signatures_of_others(draft: Draft) -> None:
    """A signature that says another algorithm than made it, or that has another length."""
    chance = draft.chance
    one, how = draft.some(), chance.randrange(4)
    if how == 0:
        one.inner = one.outer = ALGORITHMS[chance.choice(("ecdsa-sha384", "ed25519", "rsa-sha256"))]
    elif how == 1:
        unknown = seq(oid(chance.choice(("1.2.3.4.5", "1.2.840.113549.1.1.2"))), b"\x05\0")
        one.inner = one.outer = unknown
    elif how == 2:
        one.signature = chance.choice((b"", b"\0", b"\x30\x06\2\1\1\2\1\1", b"\xff" * 70))
    else:
        one.spoilt = True


@defect
def keys_of_odd_numbers(draft: Draft) -> None:
    """RSA keys with an exponent or modulus that no good key has, in the leaf."""
    modulus = integer((1 << 2047) + 3)
    numbers = draft.chance.choice(
        (
            seq(modulus, integer(3)),
            seq(modulus, integer(4)),
            seq(modulus, integer(65536)),
            seq(modulus, integer((1 << 32) + 1)),
            seq(modulus, integer((1 << 64) + 1)),
            seq(modulus, integer((1 << 256) + 1)),
            seq(integer((1 << 2047) + 2), integer(65537)),
            seq(integer((1 << 1023) + 3), integer(65537)),
            seq(integer((1 << 4095) + 3), integer(65537)),
            seq(integer((1 << 16383) + 3), integer(65537)),
            seq(tlv(2, b"\0\0" + b"\x81" * 256), integer(65537)),
        )
    )
    draft.leaf.spki = seq(seq(oid("1.2.840.113549.1.1.1"), b"\x05\0"), bit_string(numbers))
