"""What a proxy wants to know of us, read where the user keeps it.

Secrets are never on a command line, in a plan, in a message or in a run file: a plan says where
they are (`Plan.proxy_authorization`), and whoever needs them reads them there.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from stress.errors import UsageError
from stress.text.escape import UNREADABLE, quoted

VARIABLE = "TLS_STRESS_PROXY_AUTHORIZATION"
IN_VARIABLE = f"${VARIABLE}"
"""`Plan.proxy_authorization` where the variable holds them."""
FORMS = "It holds NAME:PASSWORD, or the value of the header, such as Basic bmFtZTpwdw==."
_MOST_BYTES = 16_384
_AS_IT_IS = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+ +[!-~][ -~]*")
"""A scheme and its parameters (RFC 9110 section 11.4); a name and a password have a colon first."""


@dataclass(frozen=True, slots=True)
class ProxyCredentials:
    """What a proxy wants to know of us."""

    header: str = field(repr=False)
    """Value of `Proxy-Authorization`."""
    user: bytes = field(default=b"", repr=False)
    """For SOCKS (RFC 1929), as the password; empty: the header holds none."""
    password: bytes = field(default=b"", repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `NAME:PASSWORD`, or the whole value of the header, such as `Basic bmFtZTpwdw==`.

        Raises:
            ValueError: it is neither, or too long for SOCKS; the message does not repeat it.
        """
        text = text.strip()
        if not text.isprintable():
            raise ValueError("holds more than one line, or what cannot be printed")
        pair = b""
        if _AS_IT_IS.fullmatch(text):
            scheme, _, value = text.partition(" ")
            if scheme.lower() == "basic":
                try:
                    pair = b64decode(value.strip(), validate=True)
                except Base64Error:
                    raise ValueError("holds no base64 behind Basic") from None
        elif ":" in text:
            pair = text.encode()
            text = f"Basic {b64encode(pair).decode()}"
        else:
            raise ValueError("holds neither NAME:PASSWORD nor a scheme and its value")
        user, _, password = pair.partition(b":")
        if max(len(user), len(password)) > 255:
            raise ValueError("holds a name or a password of more than 255 bytes")
        return cls(text, user, password)


def read_credentials(where: str | None) -> ProxyCredentials | None:
    """Read the credentials for a proxy.

    Args:
        where: as in `Plan.proxy_authorization`.

    Raises:
        UsageError: there are none, or they are malformed. They are not repeated.
    """
    if where is None:
        return None
    name = VARIABLE if where == IN_VARIABLE else f"--proxy-authorization: {quoted(where)}"
    try:
        if where == IN_VARIABLE:
            text = os.environ.get(VARIABLE, "")
        else:
            with Path(where).open(encoding="utf-8-sig") as file:
                text = file.read(_MOST_BYTES)
        return ProxyCredentials.parse(text)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}", UNREADABLE) from None
    except UnicodeDecodeError:
        raise UsageError(f"{name}: is not text", FORMS) from None
    except ValueError as error:
        raise UsageError(f"{name}: {error}", FORMS) from None
