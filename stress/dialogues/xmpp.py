"""XMPP from client to server (RFC 6120 sections 4 and 5).

No parser of XML, which would be another thing to attack: the tags are looked for as text.
"""

from __future__ import annotations

import re
from typing import Final

from stress.dialogues.dialogue import Go, Reading, Talk, not_offered, refused, unexpected

_TLS: Final = "urn:ietf:params:xml:ns:xmpp-tls"
_OPEN: Final = (
    "<?xml version='1.0'?><stream:stream to={} version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
_START_TLS: Final = f"<starttls xmlns='{_TLS}'/>".encode()
_FEATURES = re.compile(rb"<stream:features\s*/>|</stream:features>")
_ANSWER = re.compile(rb"<(?:proceed|failure)\b[^>]*(?:/>|>\s*</(?:proceed|failure)>)")
_END = re.compile(rb"</stream:error>|</stream:stream>")
_BEGIN: Final = b"<"


def xmpp(talk: Talk) -> Go:
    """Open a stream, read its features, ask for TLS."""
    from xml.sax.saxutils import quoteattr  # noqa: PLC0415 - heavy: it comes with HTTP and mail

    offers = yield from _until(talk, _FEATURES, _OPEN.format(quoteattr(talk.host)).encode())
    if b"<starttls" not in offers:
        raise not_offered()
    talk.check_nothing_came()
    answer = yield from _until(talk, _ANSWER, _START_TLS)
    if not answer.startswith(b"<proceed"):
        raise refused(answer)
    return b""


def _until(talk: Talk, wanted: re.Pattern[bytes], send: bytes) -> Reading[bytes]:
    """Send, then read up to what is wanted."""
    while not (found := wanted.search(talk.data)):
        begun = bytes(talk.data[:64]).lstrip()
        if begun and not begun.startswith(_BEGIN):
            raise unexpected("an XMPP stream", begun)
        if _END.search(talk.data):
            error = talk.data.find(b"<stream:error")
            raise refused(bytes(talk.data[max(0, error) :]))
        yield send
        send = b""
    taken = bytes(talk.data[: found.end()])
    del talk.data[: found.end()]
    return taken.lstrip()
