"""Makes a client profile from the hello of somebody's own app, trimmed to what can be sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from stress.clients.fitting import Fit, best_fit, fit
from stress.clients.hellos import NO_NAME, Sighting, pick, read_hellos
from stress.clients.profiles import client_toml
from stress.errors import UsageError
from stress.handshake.hello import ClientHello
from stress.model.client import Client, Stack
from stress.text.escape import quoted

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Imported:
    """A profile made from a capture."""

    fit: Fit
    hello: ClientHello
    """As captured."""
    source: str
    """Which hello it is, in words."""
    others: int
    """Further hellos for the same name that say something else."""
    toml: str


def import_client(
    path: Path, *, server_name: str | None, name: str | None, stack: Stack | None = None
) -> Imported:
    """Make a profile from the first ClientHello for a name.

    Args:
        path: pcap, pcapng, or a ClientHello alone.
        server_name: whose hello is meant, `none` for one without SNI; None: the only one.
        name: of the profile; None: as the file.
        stack: which TLS library shall speak it; None: the one that loses less.

    Raises:
        UsageError: the file holds no such hello, or no stack can speak it.
    """
    profile = profile_name(name or path.stem, chosen=name is not None)
    chosen = pick(read_hellos(path), server_name)
    first = chosen[0]
    asked = replace(_printable(first.hello.client(profile)), title=f"Imported from {path.name}")
    fitted = best_fit(asked) if stack is None else fit(asked, stack)
    source = _source(first)
    return Imported(
        fitted,
        first.hello,
        source,
        sum(each.hello.ja4 != first.hello.ja4 for each in chosen),
        client_toml(fitted.client, _comment(path, first, source, fitted)),
    )


def profile_name(text: str, *, chosen: bool) -> str:
    """Read a profile's name, which becomes a file name; one taken from a file is made to fit.

    Raises:
        UsageError: it was chosen, and is not made of letters, digits, `.`, `_` and `-`.
    """
    if not chosen:
        text = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64] or "imported"
    if not _FILE_NAME.fullmatch(text):
        raise UsageError(
            f'--name: "{quoted(text)}" is no name for a client',
            "Take letters, digits, dots, dashes; --out says where the file goes.",
        )
    return text


def _printable(client: Client) -> Client:
    """Without protocols that cannot be written as text (GREASE), which are named instead."""
    odd = [each for each in client.alpn if not (each.isascii() and each.isprintable() and each)]
    if not odd:
        return client
    plain = tuple(each for each in client.alpn if each not in odd)
    words = f"ALPN with {', '.join(each.encode().hex() for each in odd)}"
    return replace(client, alpn=plain, cannot_express=(words,))


def _source(first: Sighting) -> str:
    name = "without a server name" if first.host == NO_NAME else f"for {quoted(first.host)}"
    return f"{name}, sent to {first.target}" if first.target else name


def _comment(path: Path, first: Sighting, source: str, fitted: Fit) -> str:
    stack = f" --stack {fitted.stack}" if fitted.stack is not Stack.BORINGSSL else ""
    digest = sha256(path.read_bytes()).hexdigest()
    lines: Sequence[str] = (
        f"Imported by tls-stress from {quoted(path.name)} (SHA-256 {digest[:16]}...).",
        f"It is the first ClientHello {source}.",
        f"The real client: JA3 {first.hello.ja3_md5}, JA4 {first.hello.ja4}.",
        f"Made for {fitted.stack}: --client FILE{stack}",
        "Set `policy` to the trust rules of its users (apple, android, chrome, java, ...).",
    )
    return "\n".join(lines)
