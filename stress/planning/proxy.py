"""The proxy of a run: read, found, and given our credentials where this command line names it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from urllib.parse import unquote

from stress.dialogues.credentials import IN_VARIABLE, VARIABLE, read_credentials
from stress.errors import UsageError
from stress.host.limits import Reaches
from stress.model.plan import Plan, Proxy, ProxyScheme, Target
from stress.planning.addresses import Resolve
from stress.planning.request import Request
from stress.planning.targets import host_name, literal, split_port
from stress.text.escape import nearest, quoted
from stress.text.units import named

_ALIASES = {"socks5h": ProxyScheme.SOCKS5}
"""What curl calls SOCKS 5 with names that the proxy resolves; ours always are."""
_FORMS = "Write http://HOST:PORT (CONNECT) or socks5://HOST:PORT."
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_AMBIENT = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
"""What other programs obey (curl's manual, "Environment")."""


def read_proxy(text: str) -> Proxy:
    """Read a proxy's URL; its name is not resolved yet (`ip` is empty).

    Raises:
        UsageError: it is none, holds credentials (which are not repeated), or names no port.
    """
    found = _URL.fullmatch(text.strip())
    if "@" in text:
        raise UsageError(
            "the URL holds credentials, which others could read in the list of processes",
            f"Put NAME:PASSWORD into a file for --proxy-authorization FILE, or into {VARIABLE}.",
        )
    if found is None:
        raise UsageError(f'"{quoted(text)}" is not the URL of a proxy', _FORMS)
    word, authority = found[1].lower(), found[2].removesuffix("/")
    known = {**{str(one): one for one in ProxyScheme}, **_ALIASES}
    if word not in known:
        raise _unknown(word, known)
    scheme = known[word]
    if re.search(r"[/?#\\]", authority):
        raise UsageError(f'"{quoted(text)}" has a path or a query, which no proxy reads', _FORMS)
    host, port = split_port(authority)
    if port is None:
        raise UsageError(
            f'"{quoted(text)}" has no port',
            f"Many such proxies listen on {scheme.port}: --proxy {scheme}://{quoted(host)}:PORT",
        )
    return Proxy(scheme, literal(host) or host_name(host), port, "")


def _unknown(word: str, known: dict[str, ProxyScheme]) -> UsageError:
    if word == "https":
        hint = "TLS to the proxy itself is not supported; most proxies take CONNECT by http:// too."
    else:
        guess = nearest(word, known)
        hint = f'Did you mean "{guess}"? {_FORMS}' if guess else _FORMS
    return UsageError(f'the scheme "{quoted(word)}" is not supported', hint)


def proxy_of(
    request: Request, plan: Plan, *, resolve: Resolve, reaches: Reaches
) -> tuple[Proxy | None, tuple[str, ...]]:
    """Find the proxy of a run, and what to tell about it.

    Args:
        request: with the profile filled in.
        plan: with the resolver.
        resolve: resolves the proxy's name; of several addresses the first is used.
        reaches: whether this machine has a route to an address.

    Raises:
        UsageError: it is malformed, or its name does not resolve.
    """
    import trio  # noqa: PLC0415 - runs without a proxy start faster without it

    proxy = request.value("proxy", Proxy)
    if proxy is None:
        unused = ambient_proxy()
        hint = f"connections are direct: {unused}; --proxy goes through a proxy"
        return None, (hint,) if unused else ()
    place = Target(proxy.host, proxy.port)
    found = named("--proxy", lambda _: trio.run(resolve, place, plan.resolver), str(proxy))
    addresses = [one for one in found.addresses if reaches(one.ip)] or list(found.addresses)
    first, *others = addresses
    notes = []
    if others:
        notes.append(
            f"the proxy {proxy.host} has {len(addresses)} addresses; all connections go to {first}"
        )
    return replace(proxy, ip=first.ip), tuple(notes)


def ambient_proxy() -> str:
    """Say that the environment names a proxy, without what may be a password; else empty."""
    name = next((one for one in _AMBIENT if os.environ.get(one)), None)
    if name is None:
        return ""
    host = re.sub(r"^[^/]*//", "", unquote(os.environ[name])).rpartition("@")[2]
    shown = quoted(re.split("[/?#]", host)[0])
    return f"{name} ({shown}) is not used"


def authorization_of(request: Request, proxy: Proxy | None) -> str | None:
    """Return where the credentials for the proxy are; they are read once, to check them.

    Raises:
        UsageError: the file or the variable holds none, or there is nothing to give them to.
    """
    file = request.proxy_authorization
    if proxy is None:
        if file is not None:
            raise UsageError(
                "--proxy-authorization without --proxy", "Name the proxy: --proxy http://HOST:PORT"
            )
        return None
    where = file or (IN_VARIABLE if os.environ.get(VARIABLE) else None)
    credentials = read_credentials(where)
    if credentials is not None and proxy.scheme is ProxyScheme.SOCKS5 and not credentials.user:
        raise UsageError(
            f"{(file and quoted(file)) or VARIABLE}: SOCKS 5 takes a name and a password",
            "Write NAME:PASSWORD.",
        )
    return where


def authorized_again(plan: Plan, request: Request) -> Plan:
    """Return a recorded plan with our credentials, where this command line names its proxy.

    A run file may be a stranger's, and so its proxy: whoever gets our credentials has to be named.

    Raises:
        UsageError: another proxy is named, or the recorded run used credentials and none is named.
    """
    wish, proxy = request.value("proxy", Proxy), plan.proxy
    if wish is None:
        if plan.proxy_authorization is not None:
            raise UsageError(
                "the recorded run gave its proxy credentials; a proxy that only a run file names"
                " gets none",
                f"If you trust it, name it again: --proxy {proxy}",
            )
        if request.proxy_authorization is not None:
            return replace(plan, proxy_authorization=authorization_of(request, None))
        return plan
    if proxy is None or replace(proxy, ip="") != wish:
        through = f"through {proxy}" if proxy else "without a proxy"
        raise UsageError(
            f"--proxy: the recorded run went {through}", "Start a run of your own instead."
        )
    return replace(plan, proxy_authorization=authorization_of(request, proxy))


def check_headers(plan: Plan) -> None:
    """Check that a PROXY header can name both ends of a connection through a proxy.

    Raises:
        UsageError: the proxy resolves the name, or is of another family than an address.
    """
    if plan.proxy is None or plan.proxy_protocol is None:
        return
    for address in plan.addresses:
        if address.family == "name":
            raise UsageError(
                "--proxy-protocol: only the proxy knows the target's address, which the header"
                " names",
                "Give the address: --address IP[:PORT]",
            )
        if address.family != plan.proxy.address.family:
            raise UsageError(
                f"--proxy-protocol: the header would name {plan.proxy.address} and {address}, one"
                " IPv4 and one IPv6",
                "Give addresses of the proxy's family.",
            )
