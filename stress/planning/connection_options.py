"""How each connection is opened and closed: names, stack, sources, certificate, proxy."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from stress.clients.profiles import client_mix
from stress.dialogues.proxies import IN_VARIABLE, VARIABLE, read_credentials
from stress.errors import UsageError
from stress.handshake import factories, stack_speaking
from stress.host.limits import Reaches, is_local
from stress.model.plan import Close, Load, Plan, Proxy, ProxyScheme, Stack, StartTls, Target
from stress.planning.addresses import Resolve
from stress.planning.load import TIME_WAIT_S, held_open, ports_spent
from stress.planning.request import Request
from stress.planning.targets import host_name, literal, reference_name, split_port
from stress.planning.trust_options import policy_name
from stress.text.escape import UNREADABLE, chosen, nearest, quoted
from stress.text.units import named, option

STACK_VARIABLE = "TLS_STRESS_STACK"
"""Environment variable that holds the default of `--stack`, where one library is not wanted."""
_NO_NAME = "none"
NO_STARTTLS = "none"
_MYSQL_COUNTS = (
    "mysql: each handshake without a login counts as an interrupted connection; after"
    " max_connect_errors of them (100 by default) the server blocks this host until FLUSH HOSTS"
)
_HTTP = "http/1.1"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
"""A name of a header (RFC 9110 section 5.6.2)."""
_TLS_1_3 = 0x0304
_MOST_BYTES = 1_000_000
_ALIASES = {"socks5h": ProxyScheme.SOCKS5}
"""What curl calls SOCKS 5 with names that the proxy resolves; ours always are."""
_FORMS = "Write http://HOST:PORT (CONNECT) or socks5://HOST:PORT."
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_AMBIENT = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
"""What other programs obey (curl's manual, "Environment")."""


def connection_of(request: Request, target: Target) -> Plan:
    """Return a plan that says only how each connection is made.

    Raises:
        UsageError: an option is wrong, or the stack cannot send a client's hello.
    """
    request.value("resolver", tuple)
    stack = stack_of(request)
    mix = client_mix(request.clients)
    if request.identify:  # the request is one of HTTP/1.1
        mix = tuple(replace(one, alpn=(_HTTP,) if one.alpn else ()) for one in mix)
    clients = tuple(replace(client, stack=stack or stack_speaking(client)) for client in mix)
    # An address is checked but never sent (RFC 6066 section 3).
    name = request.value("sni", str) or (_NO_NAME if target.literal else target.host)
    certificate, key = credentials_of(request)
    plan = Plan(
        target,
        (),
        clients,
        server_name=None if name == _NO_NAME else name,
        stack=stack,
        resumption=request.value("resumption", float) or 0.0,
        sources=request.values("sources", str),
        resolver=request.resolver,
        client_certificate=certificate,
        client_key=key,
    )
    plan = _with_starttls(plan, request.value("starttls", str))
    if request.identify and plan.starttls is not None:
        raise UsageError(
            f"--identify asks by HTTP, and {plan.starttls} is spoken to this target",
            "Leave it out; the balancer's log names servers, too: tls-stress join RUN LOG.",
        )
    factories(plan)  # to check that each hello can be sent, with our certificate
    for client in clients:
        named(f"client {client.name}", policy_name, client.policy)
        # BoringSSL's binding keeps no TLS 1.3 tickets; such clients would silently never resume.
        stack = plan.stack_of(client)
        if plan.resumption and stack is Stack.BORINGSSL and _TLS_1_3 in client.versions:
            raise UsageError(
                f"--resumption: BoringSSL cannot resume TLS 1.3, which {client.name} offers",
                "Use --stack openssl, or clients of TLS 1.2 such as --client tls12-only.",
            )
    return plan


def starttls(text: str) -> str:
    """Read the protocol in which TLS is asked for, or `none`.

    Raises:
        UsageError: it is neither.
    """
    word = text.strip().lower()
    return word if word == NO_STARTTLS else chosen(StartTls, word)


def default_port(request: Request) -> int:
    """Return the port of a target that names none: of the protocol in which TLS is asked for."""
    word = request.value("starttls", str)
    return 443 if word in {None, NO_STARTTLS} else StartTls(word).port


def _with_starttls(plan: Plan, word: str | None) -> Plan:
    """Return the plan that asks for TLS as the option says, else as the port implies."""
    port = plan.target.port
    protocol, notes = StartTls.implied_by(port), []
    if word is not None:
        protocol = None if word == NO_STARTTLS else StartTls(word)
    elif protocol is not None:
        notes.append(
            f"port {port} implies --starttls {protocol}; --starttls {NO_STARTTLS} begins with TLS"
        )
    if protocol is StartTls.MYSQL:
        notes.append(_MYSQL_COUNTS)
    return replace(plan, starttls=protocol, notes=(*plan.notes, *notes))


def stack_of(request: Request) -> Stack | None:
    """Return the TLS stack of the request, else of the environment, else None: each client's own.

    Raises:
        UsageError: it is neither of ours.
    """
    default = os.environ.get(STACK_VARIABLE) or None
    return request.value("stack", Stack) or option(
        STACK_VARIABLE, lambda text: chosen(Stack, text), default
    )


def server_name(text: str) -> str:
    """Read a name for SNI, or `none`; a final dot is sent, though RFC 6066 section 3 has none.

    Raises:
        UsageError: it is an address (RFC 6066 section 3 forbids those) or not a host name.
    """
    name = text.strip()
    if literal(name):
        raise UsageError(
            f'"{quoted(name)}" is an IP address; SNI carries only host names (RFC 6066)',
            "Give a host name, or --sni none to send no SNI.",
        )
    return name.lower() if name.lower() == _NO_NAME else reference_name(name)


def own_address(text: str) -> str:
    """Read one of this machine's own addresses.

    Raises:
        UsageError: it is not an address, or another machine's.
    """
    ip = literal(text.strip())
    if ip is None:
        raise UsageError(
            f'"{quoted(text)}" is not an IP address', "Give an address of this machine."
        )
    if not is_local(ip):
        raise UsageError(f"{ip} is not an address of this machine", "List them: ip address show")
    return ip


def header_name(text: str) -> str:
    """Return `header:NAME` without blanks.

    Raises:
        UsageError: it has another form, or no header can have that name.
    """
    kind, _, name = text.partition(":")
    if kind.strip() != "header" or not _TOKEN.fullmatch(name.strip()):
        raise UsageError(
            f"{quoted(text)} is not header:NAME", "Give the header's name: header:X-Served-By"
        )
    return f"header:{name.strip()}"


def credentials_of(request: Request) -> tuple[str | None, str | None]:
    """Return the paths of our certificate and its key; one file may hold both.

    Raises:
        UsageError: a key without certificate, or a file that cannot be read or holds no such PEM.
    """
    if request.cert is None:
        if request.key is not None:
            raise UsageError("--key without --cert", "Give the certificate as --cert FILE.")
        return None, None
    _check_pem("--cert", request.cert, "CERTIFICATE-----")
    key = request.key or request.cert
    _check_pem("--key" if request.key else "--cert", key, "PRIVATE KEY-----")
    return request.cert, key


def _check_pem(name: str, path: str, mark: str) -> None:
    shown = quoted(path)
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MOST_BYTES)
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise UsageError(f"{name}: {shown}: {reason}", UNREADABLE) from None
    if b"-----BEGIN " not in text or mark.encode() not in text:
        what = mark.removesuffix("-----").lower()
        raise UsageError(
            f"{name}: {shown}: contains no {what} in PEM",
            f"A PEM file has a line that begins with -----BEGIN and ends with {mark}",
        )


# How to close: gracefully (FIN) or at once (RST).
#
# Whoever closes first keeps the pair of addresses and ports for 60 seconds (TIME_WAIT, RFC 9293
# section 3.6.1; Linux fixes it at 60). So each handshake closed by FIN uses a local port for a
# minute, per local address and destination. `auto` closes by FIN while a minute uses less than
# half of the ports: the other half is left to other programs, to chance (the kernel finds the last
# free ports slowly) and to the run just before this one.


def closing_of(wish: Close, load: Load, ports: int) -> tuple[Close, str]:
    """Decide how connections are closed; the second is why, as a note.

    Args:
        wish: of the user; only `auto` is decided here.
        load: of the run.
        ports: local ports in total: per source and destination, times sources, times destinations.
    """
    spent = ports_spent(load)
    fits = spent is not None and spent <= ports // 2
    close = (Close.FIN if fits else Close.RST) if wish is Close.AUTO else wish
    needed = "an unlimited number" if spent is None else f"{spent:,}"
    arithmetic = f"FIN would keep {needed} of {ports:,} local ports for {TIME_WAIT_S} s"
    most = load.concurrency + held_open(load)
    if most > ports:
        arithmetic += f"; only {ports:,} of {most:,} can be open at the same time (local-ports)"
    if close is Close.RST:
        return close, f"closes by RST: the target sees resets after success; {arithmetic}"
    if fits:
        return close, f"closes by FIN; that uses {spent:,} of {ports:,} local ports"
    return close, f"closes by FIN as requested, but local ports may run out; {arithmetic}"


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
        guess = nearest(word, known)
        hint = f'Did you mean "{guess}"? {_FORMS}' if guess else _FORMS
        if word == "https":
            hint = "TLS to the proxy itself is not supported;"
            hint += " most proxies take CONNECT by http:// too."
        raise UsageError(f'the scheme "{quoted(word)}" is not supported', hint)
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
