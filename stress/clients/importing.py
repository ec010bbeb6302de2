"""Makes a client profile from the captured hello of an app, reduced to what a stack can send."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from stress.clients.fitting import Fit, best_fit, fit
from stress.clients.hellos import NO_NAME, pick, read_hellos
from stress.clients.profiles import client_toml
from stress.errors import UsageError
from stress.handshake.hello import ClientHello
from stress.model.client import Stack
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
    """Further hellos for the same name that differ."""
    toml: str


def import_client(
    path: Path, *, server_name: str | None, name: str | None, stack: Stack | None = None
) -> Imported:
    """Make a profile from the first ClientHello for a name.

    Args:
        path: pcap, pcapng, or a ClientHello alone.
        server_name: the SNI of the hello, `none` for one without; None: the only one.
        name: of the profile; None: as the file.
        stack: the TLS library to send it with; None: the one that loses less.

    Raises:
        UsageError: the file contains no such hello, or no stack can send it.
    """
    profile = profile_name(name or path.stem, chosen=name is not None)
    chosen = pick(read_hellos(path), server_name)
    first = chosen[0]
    captured = replace(first.hello.client(profile), title=f"Imported from {path.name}")
    # GREASE protocols cannot be written as text; they are listed instead.
    odd = [each for each in captured.alpn if not (each.isascii() and each.isprintable() and each)]
    if odd:
        captured = replace(
            captured,
            alpn=tuple(each for each in captured.alpn if each not in odd),
            cannot_express=(f"ALPN with {', '.join(each.encode().hex() for each in odd)}",),
        )
    fitted = best_fit(captured) if stack is None else fit(captured, stack)
    source = "without a server name" if first.host == NO_NAME else f"for {quoted(first.host)}"
    if first.target:
        source += f", sent to {first.target}"
    option = f" --stack {fitted.stack}" if fitted.stack is not Stack.BORINGSSL else ""
    digest = sha256(path.read_bytes()).hexdigest()
    comment = (
        f"Imported by tls-stress from {quoted(path.name)} (SHA-256 {digest[:16]}...).",
        f"It is the first ClientHello {source}.",
        f"The real client: JA3 {first.hello.ja3_md5}, JA4 {first.hello.ja4}.",
        f"Made for {fitted.stack}: --client FILE{option}",
        "Set `policy` to the trust rules of its users (apple, android, chrome, java, ...).",
    )
    return Imported(
        fitted,
        first.hello,
        source,
        sum(each.hello.ja4 != first.hello.ja4 for each in chosen),
        client_toml(fitted.client, "\n".join(comment)),
    )


def profile_name(text: str, *, chosen: bool) -> str:
    """Read a profile's name, which becomes a file name; one taken from a file is adapted.

    Raises:
        UsageError: it was chosen, and does not consist of letters, digits, `.`, `_` and `-`.
    """
    if not chosen:
        text = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64] or "imported"
    if not _FILE_NAME.fullmatch(text):
        raise UsageError(
            f'--name: "{quoted(text)}" is not a valid name for a client',
            "Use letters, digits, dots and dashes; --out sets the path of the file.",
        )
    return text
