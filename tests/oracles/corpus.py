"""The chains that product and real clients are compared on: many kinds, drawn with fixed seeds.

A kind is a function that spoils a good draft (root, intermediates, leaf, host, what is sent) by
chance. Chain number 7 of a kind is always the same one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

import tests.oracles.more_shapes
import tests.oracles.name_defects
import tests.oracles.profile_defects
import tests.oracles.subject_defects  # noqa: F401  each registers its kinds
from tests.oracles import shapes
from tests.oracles.defects import MAIN
from tests.oracles.making import Key, Spec, authority, key, marked, oid, server
from tests.oracles.registry import DEFECTS

HOST = "good.test"
_RSA = oid("1.2.840.113549.1.1.1")


@dataclass(frozen=True)
class Chain:
    """One chain as a server would send it."""

    kind: str
    number: int
    sent: tuple[bytes, ...]
    anchors: tuple[bytes, ...]
    host: str
    rsa: bool = False
    """The leaf's key is one, which decides about the cipher."""
    private: bytes = field(default=b"", repr=False)
    """The leaf's key (PKCS 8), for a server."""

    @property
    def id(self) -> str:
        return f"{self.kind}#{self.number}"


@dataclass
class Draft:
    """A chain that is being made."""

    chance: random.Random
    root: Spec
    middles: list[Spec]
    """From the root downwards."""
    leaf: Spec
    host: str = HOST
    arrange: list[Callable[[list[bytes]], list[bytes]]] = field(default_factory=list)
    """What is done to the list of certificates before it is sent (leaf first, no root)."""
    trusted: bool = True
    """The root is an anchor."""
    with_root: bool = False
    signer: Spec | None = None
    """Who signs the leaf instead of the last intermediate."""
    anchors: list[bytes] = field(default_factory=list)
    """Further anchors."""
    rewrite: Callable[[bytes], bytes] | None = None
    """Changes octets of the finished leaf."""

    def own_key(self, kind: str = "p256") -> Key:
        """A key that no other certificate of the draft has."""
        self.keys = getattr(self, "keys", 10) + 1
        return key(kind, self.keys)

    def middle(self) -> Spec:
        """One of the intermediates, by chance."""
        return self.chance.choice(self.middles)

    def some(self) -> Spec:
        """The leaf or an intermediate."""
        return self.chance.choice([self.leaf, *self.middles])

    def finish(self, kind: str, number: int) -> Chain:
        """Issues everything, root first."""
        root = self.root.issue(self.root)
        below, ders = self.root, list[bytes]()
        for one in self.middles:
            ders.insert(0, one.issue(below))
            below = one
        leaf = self.leaf.issue(self.signer or below)
        sent = [self.rewrite(leaf) if self.rewrite else leaf, *ders]
        if self.with_root:
            sent.append(root)
        for step in self.arrange:
            sent = step(sent)
        other = authority("Unrelated Root", key("p256", 3))
        own = root if self.trusted else other.issue(other)
        anchors = (own, *self.anchors)
        spki = self.leaf.spki or self.leaf.key.spki
        rsa, private = _RSA in spki[:40], self.leaf.key.pkcs8
        return Chain(kind, number, tuple(sent), anchors, self.host, rsa, private)


def draft(chance: random.Random) -> Draft:
    """A good chain of one to three CAs."""
    depth = chance.choice((1, 1, 1, 2, 2, 3))
    middles = [authority(f"Issuer {place}", key("p256", 4 + place)) for place in range(depth)]
    made = Draft(chance, authority("Root", key("p256", 1)), middles, server(HOST, key("p256", 2)))
    made.with_root = chance.random() < 0.2
    return made


def _one(kind: str, number: int, *spoil: Callable[[Draft], None]) -> Chain:
    made = draft(random.Random(f"{kind} {number}"))
    for one in spoil:
        one(made)
    return made.finish(kind, number)


def chains(
    *, each: int = 20, pairs: int = 4, seed: int = 0, apart: bool = False
) -> Iterator[Chain]:
    """The corpus: every kind so many times; every pair of main defects, too.

    Args:
        each: chains of every kind.
        pairs: chains of every pair of defects.
        seed: another one gives another corpus of the same kinds.
        apart: every chain has names of its own.
    """

    def made(kind: str, number: int, *spoil: Callable[[Draft], None]) -> Chain:
        with marked(f"{kind} {number}" if apart else ""):
            return _one(kind, number, *spoil)

    first = seed * 1000
    for name, spoil in {**DEFECTS, **shapes.SHAPES}.items():
        for number in range(first, first + each):
            yield made(name, number, spoil)
    for left, right in combinations(MAIN, 2):
        for number in range(first, first + pairs):
            both = (DEFECTS[left], DEFECTS[right])
            yield made(f"{left}+{right}", number, *both)
