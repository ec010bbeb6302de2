"""Makes a client profile from the captured hello of an app, reduced to what a stack can send.

The hello comes from a packet capture, or stands alone in its file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final

from stress.clients.capture import HELLO_START, is_capture, read_capture, streams
from stress.clients.profiles import NAMES, client_toml
from stress.codes.names import extension_name
from stress.errors import UsageError
from stress.handshake.hello import PADDING, SUPPORTED_VERSIONS, ClientHello, is_grease, read_hello
from stress.handshake.stack import spoken_hello
from stress.model.plan import Client, Stack
from stress.text.escape import UNREADABLE, did_you_mean, quoted

NO_NAME: Final = "none"
"""The name under which a hello without SNI is selected."""
_GZIP: Final = b"\x1f\x8b"
_MOST_BYTES: Final = 1 << 30
_MOST_TRIES: Final = 16
_MOST_NAMED: Final = 12


@dataclass(frozen=True, slots=True)
class Sighting:
    """A ClientHello, and where it was sent."""

    hello: ClientHello
    target: str | None = None
    """Address and port that it was sent to; None when the file is the hello alone."""

    @property
    def host(self) -> str:
        """The name in its SNI, else `none`."""
        return self.hello.server_name or NO_NAME


def read_hellos(path: Path) -> tuple[Sighting, ...]:
    """Return every whole ClientHello of a file, in the order of their connections.

    Args:
        path: pcap, pcapng, or a ClientHello alone, with or without its record header.

    Raises:
        UsageError: the file cannot be read, is too large, or holds no complete ClientHello.
    """
    shown = quoted(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(
                f"{shown}: is larger than {_MOST_BYTES >> 30} GiB",
                "Reduce it first: tcpdump -r FILE -w SMALL.pcap tcp port 443",
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid file name"
        raise UsageError(f"{shown}: cannot be read: {reason}", UNREADABLE) from None
    try:
        return hellos_in(data)
    except UsageError as error:
        raise UsageError(f"{shown}: {error.message}", error.hint) from None


def hellos_in(data: bytes) -> tuple[Sighting, ...]:
    """Return every whole ClientHello in a file's bytes.

    Raises:
        UsageError: there is none; it says why, as far as the bytes show.
    """
    if not is_capture(data):
        if hello := _hello(data):
            return (Sighting(hello),)
        if data[:2] == _GZIP:
            raise UsageError("is compressed", "Unpack it first: gunzip FILE")
        if HELLO_START.match(data):
            raise UsageError(
                f"contains the beginning of a ClientHello, but not all of it ({len(data):,} bytes)",
                "Give all TLS records of the hello, or a capture.",
            )
        begin = data[:12].hex() or "nothing"
        raise UsageError(
            f"is neither a capture nor a ClientHello: {len(data):,} bytes, starting with {begin}",
            "Give a pcap or pcapng file, or the bytes of one ClientHello.",
        )
    capture, found, begun = read_capture(data), list[Sighting](), False
    sent = streams(capture.packets)
    for stream in sent:
        # A hello may follow the words of a proxy or of STARTTLS.
        for start in stream.beginnings():
            matches = list(islice(HELLO_START.finditer(start), _MOST_TRIES))
            begun = begun or bool(matches)
            hellos = (_hello(start[match.start() :]) for match in matches)
            if hello := next((each for each in hellos if each is not None), None):
                found.append(Sighting(hello, stream.flow.shown))
                break
    if found:
        return tuple(found)
    amount = f"{len(capture.packets):,} packets and {len(sent):,} TCP streams"
    end = "; it ends in the middle of a packet" if capture.cut else ""
    if begun:
        raise UsageError(
            f"contains the beginning of a ClientHello, but not all of it ({amount}){end}",
            "Capture whole packets, starting before the connection: tcpdump -s 0 -w FILE",
        )
    raise UsageError(
        f"contains no ClientHello ({amount}){end}",
        "Start the capture before the app connects; QUIC (UDP) is not read.",
    )


def pick(sightings: Iterable[Sighting], name: str | None) -> tuple[Sighting, ...]:
    """Return the hellos for a name, the earliest first.

    Args:
        sightings: of one file.
        name: as in SNI, `none` for hellos without; None: the only one that there is.

    Raises:
        UsageError: no hello has the name, or no name is given and there are several.
    """
    seen = tuple(sightings)
    hosts = tuple(dict.fromkeys(each.host for each in seen))
    shown = [quoted(host) for host in hosts[:_MOST_NAMED]]
    if name is None and len(hosts) > 1:
        more = f" and {len(hosts) - _MOST_NAMED} more" if len(hosts) > _MOST_NAMED else ""
        raise UsageError(
            f"the file contains ClientHellos for {len(hosts)} hosts: {', '.join(shown)}{more}",
            f"Choose one, such as --sni {shown[0]}",
        )
    wanted = (hosts[0] if name is None else name.strip()).lower()
    for host in (wanted, wanted.rstrip(".")):  # as it was sent, else without a final dot
        if chosen := tuple(each for each in seen if each.host.lower() == host):
            return chosen
    raise UsageError(
        f'--sni: no ClientHello in the file is for "{quoted(wanted)}"', did_you_mean(wanted, shown)
    )


def _hello(data: bytes) -> ClientHello | None:
    try:
        return read_hello(data)
    except UsageError:
        return None


# Fits a real client's hello to what a stack can send, and lists what was lost.
#
# What is true and what is tricky:
#
# * A stack refuses some parts outright (an unknown group), drops others silently (a 3DES suite) and
#   adds parts of its own (all three TLS 1.3 suites). The first are found by trying each part alone,
#   the others by reading the hello that is sent for the rest.
# * The order of extensions is never the client's own, and padding depends on the length of the
#   name; both are listed once and cost nothing in the choice between stacks.
#
# Invariant: the stack can send the resulting profile exactly, for `stack_for` compares it with the
# same hello that it was taken from.

_TLS_1_3: Final = 0x0304
_NAME: Final = "www.example.com"
_TITLES: Final = {Stack.BORINGSSL: "BoringSSL", Stack.OPENSSL: "OpenSSL"}
_SIGNALS: Final = frozenset({0x00FF, 0x5600})
_REFUSABLE: Final = ("cipher_suites", "groups", "signature_algorithms", "alpn", "extensions")
"""Fields whose parts a stack may refuse outright, besides the versions."""
_BARE: Final[dict[str, Any]] = {
    **dict.fromkeys((*_REFUSABLE, "key_shares", "compress_certificate"), ()),
    "grease": False,
}


@dataclass(frozen=True, slots=True)
class Fit:
    """A profile that a stack can send, made from one that it perhaps cannot."""

    client: Client
    """With what was lost in its `cannot_express`."""
    cost: int
    """Parts lost or added that can lead to another certificate or another code path."""


def best_fit(client: Client) -> Fit:
    """Return the fit to the stack that loses less; BoringSSL where both lose the same.

    Raises:
        UsageError: no stack can send anything of it.
    """
    fits: list[Fit] = []
    problems: list[UsageError] = []
    for stack in Stack:
        try:
            fits.append(fit(client, stack))
        except UsageError as error:
            problems.append(error)
    if not fits:
        raise problems[0]
    return min(fits, key=lambda each: each.cost)  # the first of equals


def fit(client: Client, stack: Stack) -> Fit:
    """Reduce a profile to what a stack can send.

    Raises:
        UsageError: the stack can send nothing of it.
    """
    accepted = _accepted(client, stack)
    sent = spoken_hello(accepted, stack, server_name=_NAME)
    fitted = replace(
        accepted,
        cipher_suites=_like(accepted.cipher_suites, sent.cipher_suites),
        groups=_like(accepted.groups, sent.groups),
        key_shares=_like(accepted.key_shares, sent.key_shares),
        signature_algorithms=_like(accepted.signature_algorithms, sent.signature_algorithms),
        alpn=sent.alpn,
        compress_certificate=sent.compress_certificate,
    )
    if sent.body(SUPPORTED_VERSIONS) is not None:  # else a hello names its best version alone
        versions = tuple(each for each in sent.versions if not is_grease(each))
        # OpenSSL drops suites that no signature algorithm fits. If only those of TLS 1.3 (0x13..)
        # are left, TLS 1.2 is void; to offer it again would bring its default suites back.
        if fitted.cipher_suites and all(each >> 8 == 0x13 for each in fitted.cipher_suites):
            versions = tuple(each for each in versions if each >= _TLS_1_3)
        fitted = replace(fitted, versions=versions)
    words: list[str] = []
    cost, title = 0, _TITLES[stack]
    for field, name in NAMES.items():
        if field == "extensions":  # their losses hardly matter; see `_minor`
            continue
        part = field.replace("_", " ").removesuffix("s")
        # Signals are no suites; an empty list leaves the choice to the stack.
        real = [each for each in dict.fromkeys(getattr(client, field)) if each not in _SIGNALS]
        ours = list(getattr(fitted, field)) if real else []
        missing = [name(each) for each in real if each not in ours]
        added = [name(each) for each in ours if each not in real]
        cost += len(missing) + len(added)
        if missing:
            words.append(f"{_plural(f'the {part}', missing)} {', '.join(missing)}")
        if added:
            what = _plural(f"the {part}", added)
            words.append(f"the absence of {what} {', '.join(added)}: {title} sends it")
        if sorted(real) == sorted(ours) and real != ours:
            words.append(f"the order of the {part}s: {title} has its own")
    if set(client.alpn) != set(fitted.alpn):
        words.append(f"the original ALPN: {', '.join(map(ascii, client.alpn)) or 'not sent'}")
        cost += 1
    words += _minor(client, sent, title)
    lost = (*client.cannot_express, *words)
    return Fit(replace(fitted, cannot_express=lost, stack=stack), cost)


def _plural(word: str, of: Collection[object]) -> str:
    return word if len(of) == 1 else f"{word}s"


def _accepted(client: Client, stack: Stack) -> Client:
    """Return the profile without the parts that the stack refuses outright."""

    def sends(candidate: Client) -> bool:
        try:
            spoken_hello(candidate, stack, server_name=_NAME)
        except UsageError:
            return False
        return True

    def kept(bare: Client, field: str) -> tuple[Any, ...]:
        """Return the values that the stack accepts, each tried alone unless it accepts all."""
        values: tuple[Any, ...] = getattr(client, field)
        if sends(_with(bare, field, values)):
            return values
        return tuple(value for value in values if sends(_with(bare, field, (value,))))

    bare = replace(client, **_BARE)
    found = bare = _with(bare, "versions", kept(bare, "versions"))
    for field in _REFUSABLE:
        found = _with(found, field, kept(bare, field))
    shares = tuple(group for group in client.key_shares if group in found.groups)
    whole = replace(
        found,
        key_shares=shares,
        compress_certificate=client.compress_certificate,
        grease=client.grease,
    )
    fewer = (
        whole,
        replace(whole, key_shares=shares[:1]),
        replace(whole, key_shares=()),
        replace(whole, key_shares=(), compress_certificate=()),
    )
    return next((candidate for candidate in fewer if sends(candidate)), found)


def _with(client: Client, field: str, values: Any) -> Client:
    return replace(client, **{field: values})


def _like(wanted: tuple[int, ...], sent: tuple[int, ...]) -> tuple[int, ...]:
    """Return what is sent, without signals and GREASE; empty when none of it was wanted."""
    if not set(wanted) & set(sent):
        return ()
    plain = tuple(each for each in sent if not is_grease(each) and each not in _SIGNALS)
    return tuple(dict.fromkeys(plain))


def _minor(client: Client, sent: ClientHello, stack: str) -> Iterator[str]:
    """Yield the losses that hardly change the server's choice, as text."""
    wanted = [number for number in client.extensions if number != PADDING]
    numbers = [each.number for each in sent.extensions if not is_grease(each.number)]
    missing = [extension_name(number) for number in wanted if number not in numbers]
    if missing:
        yield f"{_plural('the extension', missing)} {', '.join(missing)}"
    added = [extension_name(n) for n in numbers if n not in wanted and n != PADDING]
    if wanted and added:
        yield f"the absence of {', '.join(added)}: {stack} sends it"
    if wanted:
        yield "the order of extensions, and padding"
    lost = [each for each in client.compress_certificate if each not in sent.compress_certificate]
    if lost:
        yield f"{' and '.join(lost)} certificate compression"
    if client.grease and not sent.grease:
        yield "GREASE"


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
    digest = sha256(path.read_bytes()).hexdigest()
    comment = (
        f"Imported by tls-stress from {quoted(path.name)} (SHA-256 {digest[:16]}...).",
        f"It is the first ClientHello {source}.",
        f"The real client: JA3 {first.hello.ja3_md5}, JA4 {first.hello.ja4}.",
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
