"""The ClientHellos in a file: a packet capture, or the bare bytes of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stress.clients.capture import HELLO_START, Stream, is_capture, read_capture, streams
from stress.errors import UsageError
from stress.handshake.hello import ClientHello, read_hello
from stress.text.suggestions import UNREADABLE, did_you_mean, printable

NO_NAME: Final = "none"
"""How a hello without SNI is asked for."""
_GZIP: Final = b"\x1f\x8b"
_MOST_BYTES: Final = 1 << 30
_MOST_TRIES: Final = 16
_MOST_NAMED: Final = 12


@dataclass(frozen=True, slots=True)
class Sighting:
    """A ClientHello, and where it went."""

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
    data = _content(path)
    found = hellos_in(data)
    if found:
        return found
    raise _nothing(path, data)


def hellos_in(data: bytes) -> tuple[Sighting, ...]:
    """Return every whole ClientHello in a file's bytes; none when there is none."""
    if not is_capture(data):
        hello = _hello(data)
        return () if hello is None else (Sighting(hello),)
    packets = read_capture(data).packets
    return tuple(each for stream in streams(packets) if (each := _sighting(stream)) is not None)


def pick(sightings: Iterable[Sighting], name: str | None) -> tuple[Sighting, ...]:
    """Return the hellos for a name, first come first.

    Args:
        sightings: of one file.
        name: as in SNI, `none` for hellos without; None: the only one that there is.

    Raises:
        UsageError: no hello has the name, or no name is given and there are several.
    """
    seen = tuple(sightings)
    hosts = tuple(dict.fromkeys(each.host for each in seen))
    if name is None and len(hosts) > 1:
        raise UsageError(
            f"the file holds ClientHellos for {len(hosts)} hosts: {_listed(hosts)}",
            f"Choose one, such as --sni {printable(hosts[0])}",
        )
    wanted = hosts[0] if name is None else name.strip().rstrip(".").lower()
    chosen = tuple(each for each in seen if each.host.lower() == wanted.lower())
    if not chosen:
        raise UsageError(
            f'--sni: no ClientHello in the file is for "{printable(wanted)}"',
            did_you_mean(wanted, map(printable, hosts[:_MOST_NAMED])),
        )
    return chosen


def _content(path: Path) -> bytes:
    shown = printable(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(
                f"{shown}: is larger than {_MOST_BYTES >> 30} GiB",
                "Cut it first: tcpdump -r FILE -w SMALL.pcap tcp port 443",
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file name"
        raise UsageError(f"{shown}: cannot be read: {reason}", UNREADABLE) from None


def _nothing(path: Path, data: bytes) -> UsageError:
    """Why there is no hello, as far as the bytes tell."""
    shown = printable(path)
    if data[:2] == _GZIP:
        return UsageError(f"{shown}: is compressed", "Unpack it first: gunzip FILE")
    if HELLO_START.match(data):
        return UsageError(
            f"{shown}: a ClientHello begins in it, but is not whole ({len(data):,} bytes)",
            "Give all TLS records of the hello, or a capture.",
        )
    if not is_capture(data):
        begin = data[:12].hex() or "nothing"
        return UsageError(
            f"{shown}: is neither a capture nor a ClientHello: {len(data):,} bytes from {begin}",
            "Give a pcap or pcapng file, or the bytes of one ClientHello.",
        )
    capture = read_capture(data)
    found = streams(capture.packets)
    told = f"{len(capture.packets):,} packets and {len(found):,} TCP streams"
    end = "; it breaks off in the middle of a packet" if capture.cut else ""
    if any(HELLO_START.search(start) for stream in found for start in stream.beginnings()):
        return UsageError(
            f"{shown}: a ClientHello begins in it, but is not whole ({told}){end}",
            "Capture whole packets from before the connection on: tcpdump -s 0 -w FILE",
        )
    return UsageError(
        f"{shown}: holds no ClientHello ({told}){end}",
        "Start the capture before the app connects; QUIC (UDP) is not read.",
    )


def _sighting(stream: Stream) -> Sighting | None:
    for said in stream.beginnings():
        for start in _starts(said):
            hello = _hello(said[start:])
            if hello is not None:
                flow = stream.flow
                ip = f"[{flow.target}]" if ":" in flow.target else flow.target
                return Sighting(hello, f"{ip}:{flow.target_port}")
    return None


def _starts(said: bytes) -> Iterator[int]:
    """Where a hello may begin: at once, or after a proxy's or STARTTLS's own words."""
    for number, match in enumerate(HELLO_START.finditer(said)):
        if number == _MOST_TRIES:
            return
        yield match.start()


def _hello(data: bytes) -> ClientHello | None:
    try:
        return read_hello(data)
    except UsageError:
        return None


def _listed(hosts: tuple[str, ...]) -> str:
    more = len(hosts) - _MOST_NAMED
    shown = ", ".join(map(printable, hosts[:_MOST_NAMED]))
    return f"{shown} and {more} more" if more > 0 else shown
