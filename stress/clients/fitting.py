"""Trims what a real client says to what a stack can send, and says in words what was lost.

What is true and what is tricky:

* A stack refuses some parts outright (an unknown group), leaves others out in silence (a suite of
  3DES) and adds parts of its own (all three TLS 1.3 suites). The first are found by asking for each
  part alone, the others by reading the hello that is sent for the rest.
* The order of extensions is never the client's own, and padding depends on the length of the name;
  both are told once and cost nothing in the choice between stacks.

Invariant: the profile that comes out is spoken by its stack as it stands, for `stack_for` compares
it with the same hello that it was taken from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from stress.errors import UsageError
from stress.handshake.hello import PADDING, SUPPORTED_VERSIONS, ClientHello, is_grease
from stress.handshake.names import (
    cipher_name,
    extension_name,
    group_name,
    signature_name,
    version_name,
)
from stress.handshake.stack import spoken_hello
from stress.model.client import Client, Stack

_NAME: Final = "www.example.com"
_TITLES: Final = {Stack.BORINGSSL: "BoringSSL", Stack.OPENSSL: "OpenSSL"}
_SIGNALS: Final = frozenset({0x00FF, 0x5600})
_PARTS: Final[tuple[tuple[str, str, Callable[[int], str]], ...]] = (
    ("versions", "version", version_name),
    ("cipher_suites", "cipher suite", cipher_name),
    ("groups", "group", group_name),
    ("key_shares", "key share", group_name),
    ("signature_algorithms", "signature algorithm", signature_name),
)
_BARE: Final[dict[str, Any]] = {
    **dict.fromkeys(("cipher_suites", "groups", "key_shares", "signature_algorithms"), ()),
    **dict.fromkeys(("alpn", "extensions", "compress_certificate"), ()),
    "grease": False,
}


@dataclass(frozen=True, slots=True)
class Fit:
    """A profile that a stack speaks, made from one that it may not."""

    client: Client
    """With what was lost in its `cannot_express`."""
    stack: Stack
    cost: int
    """Parts lost or added that can choose another certificate or another path."""


def best_fit(client: Client) -> Fit:
    """Trims for the stack that loses less; BoringSSL where both lose the same.

    Raises:
        UsageError: no stack can speak anything of it.
    """
    fits: list[Fit] = []
    problem: UsageError | None = None
    for stack in Stack:
        try:
            fits.append(fit(client, stack))
        except UsageError as error:
            problem = problem or error
    if not fits:
        assert problem is not None
        raise problem
    return min(fits, key=lambda each: each.cost)  # the first of equals


def fit(client: Client, stack: Stack) -> Fit:
    """Trims a profile to what a stack can send.

    Raises:
        UsageError: the stack can speak nothing of it.
    """
    accepted = _accepted(client, stack)
    sent = spoken_hello(accepted, stack, server_name=_NAME)
    fitted = replace(
        accepted,
        versions=_versions(accepted, sent),
        cipher_suites=_like(accepted.cipher_suites, sent.cipher_suites),
        groups=_like(accepted.groups, sent.groups),
        key_shares=_like(accepted.key_shares, sent.key_shares),
        signature_algorithms=_like(accepted.signature_algorithms, sent.signature_algorithms),
        alpn=sent.alpn,
        compress_certificate=sent.compress_certificate,
    )
    differences = [_difference(client, fitted, *each) for each in _PARTS]
    words = [word for each in differences for word in each.words(_TITLES[stack])]
    cost = sum(len(each.missing) + len(each.added) for each in differences)
    if set(client.alpn) != set(fitted.alpn):
        words.append(f"ALPN as it was: {', '.join(map(ascii, client.alpn)) or 'not sent'}")
        cost += 1
    words += _minor(client, sent, _TITLES[stack])
    return Fit(replace(fitted, cannot_express=(*client.cannot_express, *words)), stack, cost)


@dataclass(frozen=True, slots=True)
class _Difference:
    """What became of one list."""

    title: str
    missing: tuple[str, ...]
    added: tuple[str, ...]
    reordered: bool

    def words(self, stack: str) -> Iterator[str]:
        if self.missing:
            yield f"{_plural(f'the {self.title}', self.missing)} {', '.join(self.missing)}"
        if self.added:
            what = _plural(f"the {self.title}", self.added)
            yield f"the absence of {what} {', '.join(self.added)}: {stack} sends it"
        if self.reordered:
            yield f"the order of the {self.title}s: {stack} has its own"


def _plural(word: str, of: Collection[object]) -> str:
    return word if len(of) == 1 else f"{word}s"


def _difference(
    client: Client, fitted: Client, field: str, title: str, name: Callable[[int], str]
) -> _Difference:
    """Compares what was asked with what is sent; an empty list is the stack's own business."""
    asked = [each for each in dict.fromkeys(getattr(client, field)) if each not in _SIGNALS]
    sent = list(getattr(fitted, field)) if asked else []
    missing = tuple(name(each) for each in asked if each not in sent)
    added = tuple(name(each) for each in sent if each not in asked)
    return _Difference(title, missing, added, sorted(asked) == sorted(sent) and asked != sent)


def _accepted(client: Client, stack: Stack) -> Client:
    """The profile without the parts that the stack refuses outright."""
    bare = replace(client, **_BARE)
    bare = replace(bare, versions=_kept(bare, stack, "versions", client.versions))
    found = bare
    for field in ("cipher_suites", "groups", "signature_algorithms", "alpn", "extensions"):
        found = _with(found, field, _kept(bare, stack, field, getattr(client, field)))
    shares = tuple(group for group in client.key_shares if group in found.groups)
    whole = replace(
        found,
        key_shares=shares,
        compress_certificate=client.compress_certificate,
        grease=client.grease,
    )
    for fewer in (
        whole,
        replace(whole, key_shares=shares[:1]),
        replace(whole, key_shares=()),
        replace(whole, key_shares=(), compress_certificate=()),
    ):
        if _speaks(fewer, stack):
            return fewer
    return found


def _kept(bare: Client, stack: Stack, field: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values that the stack does not refuse, each asked for alone unless all are taken."""
    if _speaks(_with(bare, field, values), stack):
        return values
    return tuple(value for value in values if _speaks(_with(bare, field, (value,)), stack))


def _with(client: Client, field: str, values: tuple[Any, ...]) -> Client:
    changed: dict[str, Any] = {field: values}
    return replace(client, **changed)


def _speaks(client: Client, stack: Stack) -> bool:
    try:
        spoken_hello(client, stack, server_name=_NAME)
    except UsageError:
        return False
    return True


def _versions(client: Client, sent: ClientHello) -> tuple[int, ...]:
    """As sent; without the extension a hello names its best version alone."""
    if sent.body(SUPPORTED_VERSIONS) is None:
        return client.versions
    return tuple(each for each in sent.versions if not is_grease(each))


def _like(asked: tuple[int, ...], sent: tuple[int, ...]) -> tuple[int, ...]:
    """What is sent, without signals and GREASE; empty, the stack's own, when nothing was taken."""
    if not set(asked) & set(sent):
        return ()
    plain = tuple(each for each in sent if not is_grease(each) and each not in _SIGNALS)
    return tuple(dict.fromkeys(plain))


def _minor(client: Client, sent: ClientHello, stack: str) -> Iterator[str]:
    """What hardly chooses anything, in words."""
    asked = [number for number in client.extensions if number != PADDING]
    numbers = [each.number for each in sent.extensions if not is_grease(each.number)]
    names = [extension_name(number) for number in asked if number not in numbers]
    if names:
        yield f"{_plural('the extension', names)} {', '.join(names)}"
    added = [extension_name(n) for n in numbers if n not in asked and n != PADDING] if asked else []
    if added:
        yield f"the absence of {', '.join(added)}: {stack} sends it"
    if asked:
        yield "the order of extensions, and padding"
    lost = [each for each in client.compress_certificate if each not in sent.compress_certificate]
    if lost:
        yield f"{' and '.join(lost)} certificate compression"
    if client.grease and not sent.grease:
        yield "GREASE"
