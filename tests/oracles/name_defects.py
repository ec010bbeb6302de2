"""What can be wrong with names and name constraints: a function for each kind of defect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracles.making import (
    address,
    constraints,
    directory,
    dns,
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


# Names

_LONGEST = ".".join(["a" * 61, *["a" * 60] * 3]) + ".lab.test"
"""A name of 253 octets."""


@defect
def wrong_host(draft: Draft) -> None:
    wrong = ("other.test", "good.test.evil", "x.good.test", "*.good.test", "ood.test", "*.test.")
    draft.leaf.change("san", seq(dns(draft.chance.choice(wrong))))


@defect
def no_san(draft: Draft) -> None:
    draft.leaf.change("san", None)
    odd = draft.chance.choice(("good.test", "good.test", "other.test", "", "*.test", "A name"))
    draft.leaf.subject = name(odd, "Somebody")


@defect
def names(draft: Draft) -> None:
    """Right and wrong patterns, and hosts of every form."""
    choose = draft.chance.choice
    pattern, host = choose(
        (
            ("*.good.test", "a.good.test"),
            ("*.good.test", "a.b.good.test"),
            ("*.good.test", "good.test"),
            ("*.test", "good.test"),
            ("*", "good.test"),
            ("*.*.test", "a.good.test"),
            ("a*.good.test", "ab.good.test"),
            ("*a.good.test", "ba.good.test"),
            ("a*c.good.test", "abc.good.test"),
            ("a*.good.test", "a.good.test"),
            ("a.*.test", "a.good.test"),
            ("*.good.test", "a_b.good.test"),
            ("a_b.good.test", "a_b.good.test"),
            ("_dmarc.good.test", "_dmarc.good.test"),
            ("-a.good.test", "-a.good.test"),
            ("GOOD.test", "good.TEST"),
            ("good.test.", "good.test"),
            ("good.test", "good.test."),
            ("good.test.", "good.test."),
            ("*.good.test.", "a.good.test"),
            (_LONGEST, _LONGEST),
            ("xn--bcher-kva.test", "xn--bcher-kva.test"),
            ("*.xn--bcher-kva.test", "a.xn--bcher-kva.test"),
            ("xn--*.test", "xn--bcher-kva.test"),
            ("x*.test", "xn--bcher-kva.test"),
            ("*.test", "xn--bcher-kva.test"),
            ("good", "good"),
            ("*.com", "example.com"),
            ("*.co.uk", "example.co.uk"),
            ("", "good.test"),
            (" good.test", "good.test"),
            ("good.test ", "good.test"),
            ("go od.test", "good.test"),
            ("good..test", "good.test"),
            (".good.test", "a.good.test"),
            (".good.test", "good.test"),
            ("192.0.2.1", "192.0.2.1"),
            ("good.test:443", "good.test"),
            ("https://good.test", "good.test"),
            ("good.test/x", "good.test"),
            ("a" * 63 + ".test", "a" * 63 + ".test"),
            ("*." + "a" * 63 + ".test", "b." + "a" * 63 + ".test"),
            ("**.good.test", "ab.good.test"),
            ("*.good.test", "-.good.test"),
            ("1.test", "1.test"),
            ("2.1", "good.test"),
        )
    )
    entries = [dns(pattern)]
    if draft.chance.random() < 0.3:
        entries.insert(0, choose((dns("first.test"), mail("a@b.test"), uri("https://u.test"))))
    if draft.chance.random() < 0.2:
        entries.append(choose((dns("*.last.test"), address(b"\xc0\0\2\1"))))
    draft.leaf.change("san", seq(*entries))
    draft.leaf.subject = name(choose(("A name", host, "", "other.test"))[:64], "Somebody")
    draft.host = host


@defect
def addresses(draft: Draft) -> None:
    choose = draft.chance.choice
    draft.host = choose(("192.0.2.1", "2001:db8::1"))
    v4, v6 = b"\xc0\0\2\1", bytes.fromhex("20010db8" + "0" * 23 + "1")
    draft.leaf.change(
        "san",
        choose(
            (
                seq(address(v4)),
                seq(address(v6)),
                seq(address(v4), address(v6)),
                seq(dns("192.0.2.1")),
                seq(dns("good.test")),
                seq(address(b"\xc0\0\2\2")),
                seq(address(b"\0" * 10 + b"\xff\xff" + v4)),
                seq(mail("a@b.test")),
                seq(dns("*.0.2.1"), dns("*.2.1")),
                None,
            )
        ),
    )
    draft.leaf.subject = name(choose((draft.host, "A name", "good.test")))


@defect
def common_name(draft: Draft) -> None:
    """Names without dNSName, where some clients look at the CN."""
    choose = draft.chance.choice
    other = choose((mail("a@b.test"), uri("https://good.test"), address(b"\xc0\0\2\1"), None))
    draft.leaf.change("san", seq(other) if other else choose((None, seq())))
    tag = choose((0x0C, 0x13, 0x1E, 0x14, 0x16))
    draft.leaf.subject = name(choose(("good.test", "GOOD.test", "*.test", "other.test")), "", tag)


@defect
def two_common_names(draft: Draft) -> None:
    draft.leaf.change("san", None)
    pairs = [draft.chance.choice(("good.test", "other.test")) for _ in range(2)]
    draft.leaf.subject = seq(
        *(tlv(0x31, seq(oid("2.5.4.3"), tlv(0x0C, one.encode()))) for one in pairs)
    )


@defect
def empty_names(draft: Draft) -> None:
    which = draft.chance.randrange(5)
    if which == 0:
        draft.leaf.subject = name()
        draft.leaf.change("san", seq(dns("good.test")), critical=draft.chance.random() < 0.5)
    elif which == 1:
        draft.some().issuer = name()
    elif which == 2:
        draft.middles[-1].subject = name()
    elif which == 3:
        draft.root.subject = name()
    else:
        draft.leaf.subject = name()
        draft.leaf.change("san", None)


@defect
def odd_san(draft: Draft) -> None:
    choose, good = draft.chance.choice, dns("good.test")
    odd = choose(
        (
            seq(good, address(b"\1\2")),
            seq(good, address(b"")),
            seq(good, address(b"\1" * 8)),
            seq(good, dns(b"b\xfccher.test")),
            seq(good, dns(b"x\0.test")),
            seq(dns(b"good.test\0.evil.test")),
            seq(good, tlv(0x83, b"")),
            seq(good, tlv(0xA0, oid("1.2.3.4"), tlv(0xA0, tlv(0x0C, b"x")))),
            seq(good, tlv(0x88, oid("1.2.3.4")[2:])),
            seq(good, mail("not a mail address")),
            seq(good, mail("b\xfccher@x.test")),
            seq(good, uri("not a uri")),
            seq(good, uri("https://[::1")),
            seq(good, uri("http://a b.test/")),
            seq(good, directory(name("x"))),
            seq(good, tlv(0x89, b"x")),
            seq(good, tlv(0x04, b"x")),
            seq(good, tlv(0xA2, b"good.test")),
            seq(),
            b"",
            tlv(0x31, good),
            seq(good) + b"\0",
            b"\x30\x20" + good,
            b"\x30\x80" + good + b"\0\0",
            b"\x30\x81" + bytes([len(good)]) + good,
            b"\x05\0",
        )
    )
    draft.leaf.change("san", odd, critical=draft.chance.random() < 0.2)
    if draft.chance.random() < 0.15:
        draft.middle().change("san", odd)
        draft.leaf.change("san", seq(good))


@defect
def name_encodings(draft: Draft) -> None:
    """An issuer's name in another string type, case or spacing than its subject."""
    choose = draft.chance.choice
    middle = draft.middles[-1]
    middle.subject = name("Issuer Of  Names", "Org", choose((0x0C, 0x13)))
    draft.leaf.issuer = choose(
        (
            name("Issuer Of  Names", "Org", 0x0C),
            name("Issuer Of  Names", "Org", 0x13),
            name("issuer of names", "ORG", 0x0C),
            name("Issuer Of Names", "Org", 0x0C),
            name(" Issuer Of  Names ", "Org", 0x13),
            name("Issuer Of  Names", "Org", 0x1E),
            name("Issuer Of  Names", "", 0x0C),
        )
    )


@defect
def name_constraints(draft: Draft) -> None:
    draft.middle().change(
        "constraints",
        draft.chance.choice(
            (
                constraints([dns("elsewhere.test")], []),
                constraints([], [dns("good.test")]),
                constraints([], [dns("test")]),
                constraints([dns("x.good.test")], []),
            )
        ),
        critical=draft.chance.random() < 0.7,
    )


@defect
def constraint_forms(draft: Draft) -> None:
    """Constraints of every type and form, many of which allow the leaf."""
    choose = draft.chance.choice
    v4, any4 = b"\xc0\0\2\0\xff\xff\xff\0", b"\0" * 8
    bases = [
        dns("good.test"),
        dns("test"),
        dns(""),
        dns(".test"),
        dns(".good.test"),
        dns("GOOD.test"),
        dns("ood.test"),
        dns("elsewhere.test"),
        dns("*.test"),
        dns("good.test."),
        dns(b"b\xfccher.test"),
        dns("good_.test"),
        address(v4),
        address(any4),
        address(b"\0" * 32),
        address(b"\x0a\0\0\0\xff\0\0\0"),
        address(b"\xc0\0\2\1"),
        address(b"\xc0\0\2\0\xff\0\xff\0"),
        mail("b.test"),
        mail("a@b.test"),
        mail(".test"),
        mail(""),
        uri("u.test"),
        uri(".test"),
        uri("https://u.test"),
        directory(name("good.test")),
        directory(name("", "Somebody")),
        directory(name()),
        tlv(0xA0, oid("1.2.3.4"), tlv(0xA0, tlv(0x0C, b"x"))),
        tlv(0x88, oid("1.2.3.4")[2:]),
    ]
    permitted = draft.chance.sample(bases, choose((0, 1, 1, 2)))
    excluded = draft.chance.sample(bases, choose((0, 0, 1)) if permitted else 1)
    holder = draft.root if draft.chance.random() < 0.25 else draft.middle()
    value = constraints(permitted, excluded)
    holder.change("constraints", value, critical=draft.chance.random() < 0.6)
    names = [dns("good.test")]
    if draft.chance.random() < 0.5:
        more = (
            address(b"\xc0\0\2\1"),
            mail("a@b.test"),
            uri("https://u.test/x"),
            uri("https://192.0.2.1/"),
            dns("x.good.test"),
            dns("*.good.test"),
            dns("*.test"),
        )
        names.append(choose(more))
    draft.leaf.change("san", seq(*names))
    if draft.chance.random() < 0.3:
        draft.leaf.change("san", None)
    subjects = (
        name("good.test"),
        name("good.test", "Somebody"),
        name("A name"),
        name(),
        name("10.1.2.3"),
        name("x_y.test"),
    )
    draft.leaf.subject = choose(subjects)


@defect
def odd_constraints(draft: Draft) -> None:
    """Constraints that are empty, without a mask, or no constraints at all."""
    base = seq(dns("test"))
    odd = draft.chance.choice(
        (
            seq(),
            seq(tlv(0xA0)),
            seq(tlv(0xA1)),
            seq(tlv(0xA0, base), tlv(0xA1)),
            seq(tlv(0xA0, seq(dns("test"), tlv(0x80, b"\1")))),
            seq(tlv(0xA0, seq(dns("test"), tlv(0x80, b"\0")))),
            seq(tlv(0xA0, seq(dns("test"), tlv(0x81, b"\5")))),
            seq(tlv(0xA0, seq(address(b"\1\2\3\4")))),
            seq(tlv(0xA0, seq(address(b"\1\2\3\4\5\6")))),
            seq(tlv(0xA0, seq(address(b"\xc0\0\2\0\0\xff\0\xff")))),
            seq(tlv(0xA1, seq(address(b"")))),
            seq(tlv(0xA2, base)),
            seq(tlv(0xA1, base), tlv(0xA0, base)),
            seq(tlv(0xA0, dns("test"))),
            b"",
            b"\x05\0",
            tlv(0x04, b"xxx"),
            seq(tlv(0xA0, base)) + b"\0",
            b"\x30\x7f",
        )
    )
    holder = draft.leaf if draft.chance.random() < 0.1 else draft.middle()
    holder.change("constraints", odd, critical=draft.chance.random() < 0.5)
