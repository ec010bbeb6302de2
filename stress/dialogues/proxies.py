"""How a proxy is asked for a connection to the target: by CONNECT, or by SOCKS 5.

What comes behind the go-ahead is the target's. A greeting, as of SMTP, may come in the same segment
as the proxy's own answer, so it goes on to what is spoken next.

Credentials are never on a command line, in a plan, in a message or in a run file: a plan says where
the user keeps them (`Plan.proxy_authorization`), and whoever needs them reads them there. What is
shown is only ever what the proxy said.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from stress.dialogues.dialogue import BreachError, Dialogue, Go, Reading, Talk, check_count, shown
from stress.errors import UsageError
from stress.model.outcome import Category
from stress.model.plan import Address, ProxyScheme, Target
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


_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: |$)")
_REFUSES: Final = frozenset({403, 405, 429, 451})
_AUTHENTICATION: Final = frozenset({401, 407})
"""Tinyproxy says 401 where the credentials are wrong."""
_TELLING: Final = (b"proxy-authenticate", b"x-squid-error")
"""Headers that say why."""


@dataclass(frozen=True, slots=True)
class ProxyDialogue:
    """Makes the dialogue with a proxy, for each target address."""

    scheme: ProxyScheme
    credentials: ProxyCredentials | None

    def __call__(self, local: str, address: Address) -> Dialogue:
        """Return what asks the proxy for this address."""
        script = _SCRIPTS[self.scheme]
        one = Dialogue.of(partial(script, address, self.credentials), address.ip, local)
        one.is_tunnel = True
        return one


def connect(address: Address, credentials: ProxyCredentials | None, talk: Talk) -> Go:
    """One request; the tunnel begins behind the header of a 2xx answer, whatever that says."""
    place = str(Target(address.ip, address.port))
    request, end = f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n", "\r\n"
    if credentials is not None:
        scheme = credentials.header.partition(" ")[0]
        talk.kept = f"{request}Proxy-Authorization: {scheme} ***\r\n{end}".encode()
        request += f"Proxy-Authorization: {credentials.header}\r\n"
    line, headers = yield from _answer(talk, (request + end).encode())
    while line.split()[1].startswith(b"1"):  # an interim answer (RFC 9110 section 15.2)
        line, headers = yield from _answer(talk, b"")
    code = int(line.split()[1])
    if code // 100 == 2:
        return b""
    telling = [one for one in headers if one.lower().partition(b":")[0] in _TELLING]
    said = " with ".join(map(shown, [line, *telling[:1]]))
    if code in _AUTHENTICATION:
        raise BreachError(Category.PROXY_AUTHENTICATION, _wanted(said, credentials))
    refuses = code in _REFUSES
    raise BreachError(
        Category.PROXY_REFUSED if refuses else Category.PROXY_FAILED, f"the proxy said {said}"
    )


def _answer(talk: Talk, send: bytes) -> Reading[tuple[bytes, list[bytes]]]:
    """Send, then read a status line and the header behind it (RFC 9112 section 2.1)."""
    line = yield from talk.line(send)
    if not _STATUS.match(line):
        other = " (a SOCKS proxy?)" if line[:1] in {b"\x05", b"\0"} else ""
        raise BreachError(
            Category.PROXY_FAILED, f"the proxy's answer is not HTTP{other}: {shown(line)}"
        )
    headers: list[bytes] = []
    while one := (yield from talk.line()):
        headers.append(one)
        check_count(headers)
    return line, headers


def _wanted(said: str, credentials: ProxyCredentials | None) -> str:
    verdict = "asks for credentials" if credentials is None else "does not accept the credentials"
    return f"the proxy {verdict}: {said}"


_VERSION, _CONNECT, _SUB_VERSION = 5, 1, 1
_NOTHING, _NAME_AND_PASSWORD, _NONE_FITS = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_BOUND_BYTES: Final[Mapping[int, int]] = MappingProxyType({_IPV4: 4, _IPV6: 16})
_REPLIES: Final[Mapping[int, tuple[Category, str]]] = MappingProxyType(
    {
        1: (Category.PROXY_FAILED, "general failure"),
        2: (Category.PROXY_REFUSED, "not allowed by its rules"),
        3: (Category.PROXY_FAILED, "network unreachable"),
        4: (Category.PROXY_FAILED, "host unreachable"),
        5: (Category.PROXY_FAILED, "connection refused"),
        6: (Category.PROXY_FAILED, "TTL expired"),
        7: (Category.PROXY_REFUSED, "command not supported"),
        8: (Category.PROXY_REFUSED, "address type not supported"),
    }
)
"""RFC 1928 section 6."""


def socks5(address: Address, credentials: ProxyCredentials | None, talk: Talk) -> Go:
    """Agree on a method, log in where that is the method, ask for the address."""
    logs_in = credentials is not None and credentials.user
    methods = [_NOTHING, _NAME_AND_PASSWORD] if logs_in else [_NOTHING]
    version, method = yield from talk.exactly(2, bytes([_VERSION, len(methods), *methods]))
    if version != _VERSION:
        raise _no_socks(bytes([version, method]) + talk.data)
    if method == _NONE_FITS:
        raise BreachError(
            Category.PROXY_AUTHENTICATION, _wanted("it takes no offered method", credentials)
        )
    if method not in methods:
        raise BreachError(Category.PROXY_FAILED, f"the proxy chose method {method}, not offered")
    if method == _NAME_AND_PASSWORD and credentials is not None:
        user, password = credentials.user, credentials.password
        talk.kept = _login(b"***", b"***")
        _, status = yield from talk.exactly(2, _login(user, password))
        if status:
            said = f"status {status}"
            raise BreachError(Category.PROXY_AUTHENTICATION, _wanted(said, credentials))
    request = bytes([_VERSION, _CONNECT, 0]) + _place(address)
    head = yield from talk.exactly(4, request)
    version, code, _, kind = head
    if version != _VERSION:
        raise _no_socks(head + talk.data)
    if code:
        category, words = _REPLIES.get(code, (Category.PROXY_FAILED, "unknown"))
        raise BreachError(category, f"the proxy said {words} (reply {code})")
    size = _BOUND_BYTES.get(kind)
    if size is None:
        if kind != _NAME:
            raise _no_socks(head + talk.data)
        size = (yield from talk.exactly(1))[0]
    yield from talk.exactly(size + 2)  # where the proxy's own connection begins
    return b""


def _login(user: bytes, password: bytes) -> bytes:
    """Make the request of RFC 1929 section 2."""
    return bytes([_SUB_VERSION, len(user)]) + user + bytes([len(password)]) + password


def _place(address: Address) -> bytes:
    port = address.port.to_bytes(2, "big")
    if address.family == "name":
        name = address.ip.encode()
        return bytes([_NAME, len(name)]) + name + port
    ip = ip_address(address.ip).packed
    return bytes([_IPV4 if len(ip) == 4 else _IPV6]) + ip + port


def _no_socks(said: bytes) -> BreachError:
    other = " (an HTTP proxy?)" if said.startswith(b"HT") else ""
    return BreachError(
        Category.PROXY_FAILED, f"the proxy's answer is not SOCKS 5{other}: {shown(said)}"
    )


_SCRIPTS: Final = MappingProxyType({ProxyScheme.HTTP: connect, ProxyScheme.SOCKS5: socks5})
