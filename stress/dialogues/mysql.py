"""MySQL and MariaDB: SSLRequest in place of the login (their documentation, "Connection Phase")."""

from __future__ import annotations

import struct
from typing import Final

from stress.dialogues.dialogue import Go, Talk, not_offered, refused, unexpected

_PROTOCOL, _ERROR = 10, 0xFF
_CLIENT_SSL: Final = 0x0800
_CAPABILITIES: Final = 0x0008_AA85
"""Long passwords and protocol 4.1 with plug-ins, as a client that logs in later, and CLIENT_SSL."""
_UTF8MB4: Final = 45
_SSL_REQUEST: Final = struct.pack("<IIB23x", _CAPABILITIES, 1 << 24, _UTF8MB4)


def mysql(talk: Talk) -> Go:
    """The server greets; our request goes right before the ClientHello."""
    head = yield from talk.exactly(4)
    greeting = yield from talk.exactly(int.from_bytes(head[:3], "little"))
    kind = greeting[0] if greeting else None
    if kind == _ERROR:  # a number, and since protocol 4.1 a state of 6 bytes
        words = greeting[9:] if greeting[3:4] == b"#" else greeting[3:]
        raise refused(words)
    version = greeting.find(b"\0", 1)
    # Behind the version: thread, 8 bytes of salt, a filler; then the capabilities.
    capabilities = greeting[version + 14 : version + 16]
    if kind != _PROTOCOL or version < 0 or len(capabilities) < 2:
        raise unexpected("a MySQL greeting", head + greeting + talk.data)
    if not int.from_bytes(capabilities, "little") & _CLIENT_SSL:
        raise not_offered(greeting[1:version])
    return struct.pack("<I", len(_SSL_REQUEST) | (head[3] + 1) % 256 << 24) + _SSL_REQUEST
