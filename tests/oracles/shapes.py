"""Shapes of chains: orders, copies, cross-signs, twins, loops, and anchors that are no roots."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING

from tests.oracles.making import AT, CLIENT, DAY, Spec, authority, basic, key, purposes, usage

if TYPE_CHECKING:
    from tests.oracles.corpus import Draft

Shape = Callable[["Draft"], None]
SHAPES: dict[str, Shape] = {}


def shape(make: Shape) -> Shape:
    """Registers a shape under the name of its function."""
    SHAPES[make.__name__.replace("_", "-")] = make
    return make


def _twin(of: Spec, draft: Draft) -> Spec:
    """A certificate of the same name and key that is odd in one way, or good."""
    made = deepcopy(of)
    made.serial = b"\x33\x44"
    how = draft.chance.randrange(9)
    if how == 0:
        made.ends = AT - DAY
    elif how == 1:
        made.starts = AT + DAY
    elif how == 2:
        made.change("basic", basic(ca=False))
    elif how == 3:
        made.change("usage", usage("cRLSign"))
    elif how == 4:
        made.change("purposes", purposes(CLIENT))
    elif how == 5:
        made.change("unknown", b"\x05\0", critical=True)
    elif how == 6:
        made.spoilt = True
    elif how == 7:
        made.ends += 100 * DAY
    return made


def _stranger(draft: Draft) -> Spec:
    """A root that nobody trusts."""
    return authority("Old Root", key("p256", 20))


def _insert(sent: list[bytes], der: bytes, draft: Draft) -> list[bytes]:
    """The list with one more certificate somewhere behind the leaf."""
    at = draft.chance.randrange(1, len(sent) + 1)
    return [*sent[:at], der, *sent[at:]]


@shape
def good(draft: Draft) -> None:
    """Nothing odd."""


@shape
def any_order(draft: Draft) -> None:
    def mix(sent: list[bytes]) -> list[bytes]:
        rest = sent[1:] * draft.chance.choice((1, 1, 2))
        draft.chance.shuffle(rest)
        return [sent[0], *rest, *([sent[0]] if draft.chance.random() < 0.3 else [])]

    draft.arrange.append(mix)


@shape
def leaf_not_first(draft: Draft) -> None:
    draft.arrange.append(lambda sent: sent[1:] + sent[:1])


@shape
def strangers(draft: Draft) -> None:
    """Certificates that do not belong to the path."""
    old = _stranger(draft)
    other = authority("Stranger", key("p256", 21))
    ders = [old.issue(old), other.issue(old), other.issue(draft.root)]
    unreadable = draft.chance.choice((b"", b"\x30\x03abc", b"no certificate", ders[0][:-3]))
    if draft.chance.random() < 0.3:
        ders.append(unreadable)
    for der in draft.chance.sample(ders, draft.chance.choice((1, 2))):
        draft.arrange.append(lambda sent, der=der: _insert(sent, der, draft))  # type: ignore[misc]  # bound now


@shape
def twin_intermediate(draft: Draft) -> None:
    """The same CA twice, by the same root: one good, one odd, in both orders."""
    at = draft.chance.randrange(len(draft.middles))
    below = draft.middles[at - 1] if at else draft.root
    der = _twin(draft.middles[at], draft).issue(below)
    draft.arrange.append(lambda sent: _insert(sent, der, draft))


@shape
def cross_signed_intermediate(draft: Draft) -> None:
    """The same CA by the trusted root and by another, which is trusted at times."""
    old = _stranger(draft)
    at = draft.chance.randrange(len(draft.middles))
    der = _twin(draft.middles[at], draft).issue(old)
    draft.arrange.append(lambda sent: _insert(sent, der, draft))
    if draft.chance.random() < 0.5:
        root = old.issue(old)
        draft.arrange.append(lambda sent: [*sent, root])
    if draft.chance.random() < 0.3:
        draft.anchors.append(old.issue(old))
    if draft.chance.random() < 0.2:
        draft.trusted = False


@shape
def cross_signed_root(draft: Draft) -> None:
    """The root as a subject of another root, which is trusted at times."""
    old = _stranger(draft)
    if draft.chance.random() < 0.3:
        old.ends = AT - DAY
    der = _twin(draft.root, draft).issue(old)
    root = old.issue(old)
    draft.with_root = False
    draft.arrange.append(lambda sent: [*sent, der, *([root] if len(sent) % 2 else [])])
    how = draft.chance.randrange(3)
    if how:
        draft.anchors.append(root)
    if how == 1:
        draft.trusted = False


@shape
def same_name_other_key(draft: Draft) -> None:
    """Two CAs of one name with different keys, with and without key identifiers."""
    old = draft.middles[-1]
    below = draft.middles[-2] if len(draft.middles) > 1 else draft.root
    other = deepcopy(old)
    other.key, other.serial = key("p256", 22), b"\x77"
    if draft.chance.random() < 0.3:
        other = _twin(other, draft)
    if draft.chance.random() < 0.4:
        draft.leaf.issuer_id = False
    if draft.chance.random() < 0.3:
        old.key_id = other.key_id = False
    if draft.chance.random() < 0.3:
        other.key = key("rsa2048", 22)
    der = other.issue(below)
    draft.arrange.append(lambda sent: _insert(sent, der, draft))


@shape
def same_name_roots(draft: Draft) -> None:
    """Two anchors of one name with different keys or dates."""
    other = deepcopy(draft.root)
    if draft.chance.random() < 0.6:
        other.key = key("p256", 23)
    else:
        other.serial, other.ends = b"\x55", draft.chance.choice((AT - DAY, AT + 99 * DAY))
    draft.anchors.append(other.issue(other))
    if draft.chance.random() < 0.4:
        for one in draft.middles:
            one.issuer_id = False


@shape
def anchor_is_intermediate(draft: Draft) -> None:
    """An intermediate is an anchor; the root is one, too, or not."""
    draft.trusted = draft.chance.random() < 0.4
    at = draft.chance.randrange(len(draft.middles))
    below = draft.middles[at - 1] if at else draft.root
    one = draft.middles[at]
    if draft.chance.random() < 0.4:
        one = _twin(one, draft)
    draft.anchors.append(one.issue(below))
    if draft.chance.random() < 0.4:
        draft.arrange.append(lambda sent: sent[:1])


@shape
def anchor_is_leaf(draft: Draft) -> None:
    """The leaf itself is an anchor, or a self-signed one, or its twin."""
    draft.trusted = False
    how = draft.chance.randrange(4)
    if how == 0:
        draft.signer = draft.leaf
        draft.arrange.append(lambda sent: sent[:1])
        draft.anchors.append(draft.leaf.issue(draft.leaf))
    elif how == 1:
        draft.anchors.append(draft.leaf.issue(draft.middles[-1]))
    elif how == 2:
        draft.signer = draft.leaf
        draft.leaf.change("basic", basic(ca=True))
        draft.leaf.change("usage", usage("digitalSignature", "keyCertSign"))
        draft.anchors.append(draft.leaf.issue(draft.leaf))
    else:
        other = deepcopy(draft.leaf)
        other.serial = b"\x66"
        draft.signer = draft.leaf
        draft.anchors.append(other.issue(other))


@shape
def two_anchors_in_path(draft: Draft) -> None:
    """An anchor in the middle of a path that goes on to another one, one of them odd."""
    odd = _twin(draft.middles[0], draft)
    draft.anchors.append(odd.issue(draft.root))
    if draft.chance.random() < 0.5:
        draft.root.ends = AT - DAY


@shape
def self_issued(draft: Draft) -> None:
    """A CA that certifies its own new key."""
    old = draft.middles[-1]
    new = deepcopy(old)
    new.key = key("p256", 24)
    draft.middles.append(new)
    if draft.chance.random() < 0.5:
        old.change("basic", basic(ca=True, path_length=0))
    if draft.chance.random() < 0.2:
        draft.middles[-1].issuer_id = False


@shape
def loop(draft: Draft) -> None:
    """Two CAs that sign each other."""
    first, second = authority("Loop A", key("p256", 25)), authority("Loop B", key("p256", 26))
    draft.signer = first
    ders = [first.issue(second), second.issue(first)]
    if draft.chance.random() < 0.5:
        ders.append(second.issue(draft.root))
        draft.chance.shuffle(ders)
    draft.arrange.append(lambda sent: [sent[0], *ders])


@shape
def deep(draft: Draft) -> None:
    """Paths that are long."""
    for place in range(draft.chance.choice((2, 5, 7, 8, 9, 12, 20))):
        draft.middles.append(authority(f"Deep {place}", key("p256", 30 + place)))


@shape
def twin_leaf(draft: Draft) -> None:
    """Another certificate of the leaf's name or key among those sent."""
    other = deepcopy(draft.leaf)
    other.serial = b"\x22"
    if draft.chance.random() < 0.5:
        other.key = key("p256", 27)
    der = other.issue(draft.middles[-1])
    draft.arrange.append(lambda sent: _insert(sent, der, draft))


@shape
def issued_by_root(draft: Draft) -> None:
    """A leaf without any intermediate; or a root that names another key as its issuer's."""
    draft.middles = []
    if draft.chance.random() < 0.4:
        draft.leaf.issuer_id = draft.chance.choice((False, b"\x30\x05\x80\x03abc"))
    draft.signer = draft.root
