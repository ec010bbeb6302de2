"""The rule about pinned keys, and how users write pins."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence

from stress.errors import UsageError
from stress.model.outcome import Category
from stress.model.verdict import Finding
from stress.trust.rules.question import Question


def parse_pin(text: str) -> bytes:
    """The SHA-256 of a public key, from curl's form `sha256//BASE64` (also `sha256/`, OkHttp's).

    Raises:
        UsageError: another form, or not 32 bytes.
    """
    kind, _, value = text.partition("/")
    # 32 bytes are 44 characters; one more is curl's second slash.
    value = value[1:] if len(value) == 45 and value[0] == "/" else value
    try:
        digest = b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if kind != "sha256" or len(digest) != 32:
        raise UsageError(
            f"{text[:60]!r} is no pin of a public key",
            "--pin takes sha256//BASE64, as curl's --pinnedpubkey: the SHA-256 of the key's DER",
        )
    return digest


def pin_findings(question: Question, pins: Sequence[bytes]) -> Iterator[Finding]:
    """One key of the path (for curl: the leaf's) must be among the pins, if there are any."""
    links = question.path.links[:1] if question.policy.pins_leaf_only else question.path.links
    keys = [link.facts.spki_sha256 for link in links]
    if pins and not set(keys) & set(pins):
        shown = ", ".join(f"sha256//{b64encode(key).decode()}" for key in keys[:2])
        more = f" and {len(keys) - 2} more" if len(keys) > 2 else ""
        yield Finding(Category.PIN_MISMATCH, 0, f"no pinned key among {shown}{more}")
