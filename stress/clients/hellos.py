"""Reads the ClientHellos of a file: a packet capture, or the bare bytes of one hello."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from stress.clients.capture import HELLO_START, is_capture, read_capture, streams
from stress.errors import UsageError
from stress.handshake.hello import ClientHello, read_hello
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
        hello = _hello(data)
        if hello is None:
            raise _no_capture(data)
        return (Sighting(hello),)
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


def _no_capture(data: bytes) -> UsageError:
    """Return why bytes that are no capture hold no hello."""
    if data[:2] == _GZIP:
        return UsageError("is compressed", "Unpack it first: gunzip FILE")
    if HELLO_START.match(data):
        return UsageError(
            f"contains the beginning of a ClientHello, but not all of it ({len(data):,} bytes)",
            "Give all TLS records of the hello, or a capture.",
        )
    begin = data[:12].hex() or "nothing"
    return UsageError(
        f"is neither a capture nor a ClientHello: {len(data):,} bytes, starting with {begin}",
        "Give a pcap or pcapng file, or the bytes of one ClientHello.",
    )


def _hello(data: bytes) -> ClientHello | None:
    try:
        return read_hello(data)
    except UsageError:
        return None
