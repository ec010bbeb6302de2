"""A second stream of shapes: what is sent beside the path, and several paths at once.

BetterTLS's reasons why one of two paths is no good, long chains, meshes, and copies.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from tests.oracles.making import (
    AT,
    CLIENT,
    DAY,
    Spec,
    authority,
    basic,
    constraints,
    dns,
    key,
    name,
    purposes,
    usage,
)
from tests.oracles.registry import DEFECTS
from tests.oracles.shapes import SHAPES, shape

if TYPE_CHECKING:
    from tests.oracles.corpus import Draft


def _spoilt(of: Spec, draft: Draft) -> Spec:
    """The same CA, no good for one of BetterTLS's reasons, or good."""
    made, chance = deepcopy(of), draft.chance
    made.serial = bytes([0x50, chance.randrange(128)])
    reason = chance.choice(
        ("none", "expired", "names", "purpose", "basics", "no-ca", "weak", "length", "early")
    )
    if reason == "expired":
        made.ends = AT - 2 * DAY
    elif reason == "early":
        made.starts = AT + 2 * DAY
    elif reason == "names":
        value = constraints([dns("elsewhere.test")], [])
        made.change("constraints", value, critical=chance.random() < 0.8)
    elif reason == "purpose":
        made.change("purposes", purposes(CLIENT))
    elif reason == "basics":
        made.change("basic", None)
    elif reason == "no-ca":
        made.change("basic", basic(ca=False))
    elif reason == "length":
        made.change("basic", basic(ca=True, path_length=0))
    elif reason == "weak":
        made.algorithm = "ecdsa-sha1"
    return made


def _put(draft: Draft, *ders: bytes) -> None:
    """More certificates somewhere behind the leaf."""

    def insert(sent: list[bytes]) -> list[bytes]:
        for der in ders:
            sent.insert(draft.chance.randrange(1, len(sent) + 1), der)
        return sent

    draft.arrange.append(insert)


@shape
def two_paths(draft: Draft) -> None:
    """The last CA by two roots, trusted both or one; either path or both no good."""
    chance = draft.chance
    other = authority("Second Root", key("p256", 80))
    last = draft.middles[-1]
    draft.middles = draft.middles[:1] if chance.random() < 0.5 else draft.middles
    again = _spoilt(last, draft)
    if chance.random() < 0.3:
        spoilt = _spoilt(draft.middles[-1], draft)
        spoilt.serial = None
        draft.middles[-1] = spoilt
    _put(draft, again.issue(other))
    how = chance.randrange(3)
    if how != 1:
        draft.anchors.append(other.issue(other))
    if how == 2:
        draft.trusted = False
    if chance.random() < 0.3:
        _put(draft, other.issue(other))


@shape
def mesh(draft: Draft) -> None:
    """Three CAs that certify one another in both directions, one of them an anchor."""
    chance = draft.chance
    some = [authority(f"Mesh {place}", key("p256", 81 + place)) for place in range(3)]
    ders = [
        (_spoilt(one, draft) if chance.random() < 0.3 else one).issue(other)
        for one in some
        for other in some
        if one is not other and chance.random() < 0.8
    ]
    draft.signer = some[0]
    if chance.random() < 0.7:
        ders.append(some[chance.randrange(3)].issue(draft.root))
    else:
        draft.anchors.append(some[2].issue(some[2]))
        draft.trusted = chance.random() < 0.5
    chance.shuffle(ders)
    draft.arrange.append(lambda sent: [sent[0], *ders])


@shape
def long_paths(draft: Draft) -> None:
    """Five to a hundred CAs in one path."""
    for place in range(draft.chance.choice((4, 6, 7, 8, 9, 10, 13, 14, 20, 40, 95))):
        draft.middles.append(authority(f"Long {place}", key("p256", 100 + place)))


@shape
def many_sent(draft: Draft) -> None:
    """A short path among certificates that do not belong to it."""
    chance = draft.chance
    strange = authority("Strange", key("p256", 84))
    count = chance.choice((1, 3, 8, 9, 10, 14, 15, 20, 60))
    ders = [authority(f"Bag {place}", key("p256", 85)).issue(strange) for place in range(count)]
    if chance.random() < 0.5:
        draft.arrange.append(lambda sent: [*sent, *ders])
    else:
        draft.arrange.append(lambda sent: [sent[0], *ders, *sent[1:]])


@shape
def copies(draft: Draft) -> None:
    """Leaf, issuers or root twice, the root among them, in order or not."""
    chance = draft.chance
    root = draft.root.issue(draft.root)

    def copy(sent: list[bytes]) -> list[bytes]:
        some = [*sent, root] if chance.random() < 0.5 else sent
        how = chance.randrange(5)
        if how == 0:
            return [*some, *some]
        if how == 1:
            return [one for one in some for _ in range(2)]
        if how == 2:
            return [some[0], some[0], *some[1:]]
        if how == 3:
            return [some[0], *reversed(some[1:])]
        return [some[0], root, *some[1:]]

    draft.arrange.append(copy)


@shape
def rubbish_sent(draft: Draft) -> None:
    """Entries that are empty, cut, other than certificates, or a certificate twice in one."""
    chance = draft.chance
    der = draft.middles[0].issue(draft.root)
    rubbish = (b"", b"\0", b"\x30\0", b"-----BEGIN CERTIFICATE-----\n", der[:-1], der[1:], der * 2)
    _put(draft, chance.choice(rubbish))
    if chance.random() < 0.1:
        draft.arrange.append(lambda sent: [b"", *sent])


@shape
def issuers_that_are_servers(draft: Draft) -> None:
    """A leaf that another server's certificate, or the leaf's own twin, has signed."""
    chance = draft.chance
    other = deepcopy(draft.leaf)
    other.subject, other.key = name("Another Server"), key("p256", 86)
    if chance.random() < 0.4:
        other.change("basic", None)
    if chance.random() < 0.4:
        other.change("usage", usage("digitalSignature", "keyCertSign"))
    draft.middles.append(other)


@shape
def names_of_others(draft: Draft) -> None:
    """Leaf, CA and root of one name, or a CA of the leaf's name or key."""
    chance, how = draft.chance, draft.chance.randrange(4)
    if how == 0:
        draft.leaf.subject = draft.middles[-1].subject
    elif how == 1:
        draft.middles[0].subject = draft.root.subject
    elif how == 2:
        draft.leaf.key = draft.middles[-1].key
    else:
        draft.middles[-1].subject = draft.leaf.subject
    if chance.random() < 0.3:
        draft.leaf.issuer_id = False


@shape
def roots_of_all_kinds(draft: Draft) -> None:
    """An anchor that is expired, old, not self-signed, a leaf, or of another signature."""
    chance, root = draft.chance, draft.root
    how = chance.randrange(7)
    if how == 0:
        root.ends = AT - chance.choice((1, DAY))
    elif how == 1:
        root.extensions, root.version, root.key_id, root.issuer_id = [], None, False, False
    elif how == 2:
        draft.trusted = False
        other = authority("Above", key("p256", 87))
        draft.anchors.append(root.issue(other))
    elif how == 3:
        root.spoilt = True
    elif how == 4:
        root.change("usage", usage("digitalSignature"))
    elif how == 5:
        root.change("basic", None)
        root.change("usage", None)
    else:
        root.change("constraints", constraints([dns("test")], []), critical=True)


@shape
def self_signed_servers(draft: Draft) -> None:
    """A self-signed leaf that is an anchor or not, a CA or not, alone or before others."""
    chance, leaf = draft.chance, draft.leaf
    draft.signer = leaf
    if chance.random() < 0.5:
        leaf.change("basic", chance.choice((None, basic(ca=True), basic(ca=True, path_length=0))))
    if chance.random() < 0.5:
        some = (None, usage("keyCertSign"), usage("digitalSignature", "keyCertSign"))
        leaf.change("usage", chance.choice(some))
    if chance.random() < 0.3:
        leaf.issuer_id = False
    if chance.random() < 0.6:
        draft.anchors.append(leaf.issue(leaf))
    if chance.random() < 0.7:
        draft.arrange.append(lambda sent: sent[:1])


@shape
def any_two(draft: Draft) -> None:
    """Two kinds at once, whichever."""
    every = {**DEFECTS, **SHAPES}
    names = sorted(every.keys() - {"any-two", "leaf-not-first", "odd-key", "keys-of-odd-numbers"})
    # Last of all comes the one that leaves no intermediate.
    for one in sorted(draft.chance.sample(names, 2), key="issued-by-root".__eq__):
        every[one](draft)
