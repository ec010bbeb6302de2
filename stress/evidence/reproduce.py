"""`reproduce.sh`: a failure once more, with nothing but openssl or curl.

What is true and what is tricky:

* People trust the tools they know. The script asks as they would by hand, at the fixed address,
  often enough to meet the failing share with 99.9%, and exits 0 as soon as the failure showed.
* A chain is recognised by being the same, byte for byte, as the PEM file beside the script;
  whether a tool would trust it does not matter, so verification is off.
* A handshake that fails is recognised by its alert, or by not having finished.
* The text may come from a run file of a stranger: every value is quoted (`shlex.quote`), and
  comments are made printable and of one line.
* POSIX sh and awk; openssl 1.1.1, curl 7.88 (for `%{certs}`) or newer.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final

from stress.model.client import Client
from stress.model.outcome import Category, Kind, Outcome, Stage
from stress.model.plan import Plan
from stress.model.transcript import Transcript
from stress.text.escape import printable

FAILING_CHAIN: Final = "chain-failing.pem"
_MISSED: Final = 0.001
"""Chance of not meeting the failure at all, when its share is as it was."""
_MOST_TRIES: Final = 10_000
_VERSIONS: Final = {0x0301: "tls1", 0x0302: "tls1_1", 0x0303: "tls1_2", 0x0304: "tls1_3"}
_CURL_VERSIONS: Final = {0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}
_TLS_1_3: Final = 0x0304
_OLD: Final = 0x0303


@dataclass(frozen=True, slots=True)
class Script:
    """What the script has to know."""

    failing: Transcript
    """A connection that failed."""
    share: float
    """Of the attempts at this place that failed."""
    plan: Plan
    sentences: Sequence[str]
    """What is said at the head."""
    shared: bool = False
    """It will be mailed: no path of this machine."""


def reproduce(script: Script) -> str:
    """The whole text of the script."""
    parts = [
        "#!/bin/sh\n" + "".join(f"# {line}".rstrip() + "\n" for line in _head(script)) + _USAGE,
        f"tool=${{1:-{_tool(script.plan)}}}\ntries=${{2:-{tries(script.share)}}}\n{_START}",
        _certificate(script),
        _wanted(script.failing),
        _ask_openssl(script),
        _ask_curl(script),
        *(f"shows_{tool}() {{\n    {sign}\n}}\n" for tool, sign in _signs(script.failing)),
        _LOOP,
    ]
    return "\n".join(part for part in parts if part)


def _tool(plan: Plan) -> str:
    return "curl" if plan.proxy_protocol else "openssl"


def tries(share: float) -> int:
    """How many attempts meet a failing share with 99.9%."""
    if share >= 1:
        return 3
    if share <= 0:
        return _MOST_TRIES
    return min(_MOST_TRIES, max(3, math.ceil(math.log(_MISSED) / math.log1p(-share))))


def _client(script: Script) -> Client:
    number, clients = script.failing.record.client, script.plan.clients
    return clients[number] if 0 <= number < len(clients) else Client("unknown")


def _name_sent(script: Script) -> str | None:
    """The SNI; curl sends none where the URL has an address."""
    return script.plan.server_name if _client(script).server_name else None


def _head(script: Script) -> Iterator[str]:
    failing = script.failing
    for sentence in script.sentences:
        yield from textwrap.wrap(printable(sentence, 2000), 96)
    yield ""
    if _client(script).cannot_express or len(script.plan.clients) > 1:
        yield f"It was met as client {printable(_client(script).name)}; the hellos of openssl and"
        yield "curl are others. What depends on the hello may not show with them."
    if failing.record.local_port:
        yield f"The failing connection came from local port {failing.record.local_port}. A balancer"
        yield "that hashes ports sends the same port to the same node: SOURCE_PORT=N with curl."
    if script.plan.proxy_protocol:
        yield "The target expects a PROXY header first: curl can send one, openssl cannot."


def _openssl_flags(client: Client) -> Iterator[str]:
    versions = [version for version in client.versions if version in _VERSIONS]
    if len(versions) == 1:
        yield f"-{_VERSIONS[versions[0]]}"
    elif versions and _TLS_1_3 not in versions:
        yield "-no_tls1_3"
    if versions and max(versions) < _OLD:
        yield "-cipher DEFAULT:@SECLEVEL=0"


def _curl_flags(client: Client, plan: Plan) -> Iterator[str]:
    versions = [version for version in client.versions if version in _CURL_VERSIONS]
    if versions and max(versions) < _TLS_1_3:
        yield f"--tls-max {_CURL_VERSIONS[max(versions)]}"
    if versions and min(versions) >= _TLS_1_3:
        yield "--tlsv1.3"
    if versions and max(versions) < _OLD:
        yield "--ciphers DEFAULT:@SECLEVEL=0"
    if plan.proxy_protocol:
        yield "--haproxy-protocol"


def _certificate(script: Script) -> str:
    """The client certificate: where it was, or a request to name one."""
    plan = script.plan
    if plan.client_certificate is None:
        return ""
    if script.shared:
        give = 'echo "set CERTIFICATE and KEY to the PEM files of a client certificate" >&2; exit 2'
    else:
        certificate, key = plan.client_certificate, plan.client_key or plan.client_certificate
        give = f"CERTIFICATE={quote(certificate)}; KEY={quote(key)}"
    return f'if [ -z "${{CERTIFICATE:-}}" ]; then {give}; fi\n'


def _wanted(failing: Transcript) -> str:
    return f"wanted=$(certificates <{FAILING_CHAIN}) || exit 2\n" if _by_chain(failing) else ""


def _ask_openssl(script: Script) -> str:
    plan, failing = script.plan, script.failing
    sent = _name_sent(script)
    name = f"-servername {quote(sent)}" if sent else "-noservername"
    words = ["limited openssl s_client -showcerts", f"-connect {quote(str(failing.address))}", name]
    words += _openssl_flags(_client(script))
    if plan.client_certificate is not None:
        words.append('-cert "$CERTIFICATE" -key "$KEY"')
    pause = 1 if failing.record.stage == Stage.AFTER_HANDSHAKE else 0
    return _function("ask_openssl", [f"sleep {pause} |", *words, "2>&1"])


def _ask_curl(script: Script) -> str:
    plan, address = script.plan, script.failing.address
    at = f"[{address.ip}]" if ":" in address.ip else address.ip
    host = _name_sent(script) or at
    words = [
        "limited curl --silent --insecure --output /dev/null",
        '--max-time "$patience"',
        *_curl_flags(_client(script), plan),
        '${SOURCE_PORT:+--local-port "$SOURCE_PORT"}',
        f"--connect-to {quote(f'{host}:{address.port}:{at}:{address.port}')}",
        "--write-out 'handshake %{time_appconnect}\\n%{certs}\\n'",
    ]
    if plan.client_certificate is not None:
        words.append('--cert "$CERTIFICATE" --key "$KEY"')
    return _function("ask_curl", [*words, quote(f"https://{host}:{address.port}/")])


def _function(name: str, words: Sequence[str]) -> str:
    """A shell function of one command, which tells its exit code as its last line."""
    return f'{name}() {{\n    {(_BREAK).join(words)}\n    echo "exit $?"\n}}\n'


def _by_chain(failing: Transcript) -> bool:
    kind = Outcome.parse(failing.record.outcome).kind
    return kind is Kind.TRUST and failing.record.chain is not None


def _signs(failing: Transcript) -> Iterator[tuple[str, str]]:
    """By what the failure is recognised in what each tool says."""
    outcome = Outcome.parse(failing.record.outcome)
    openssl, curl = "grep -q '^exit [1-9]'", "grep -q '^handshake 0.000000$'"
    if _by_chain(failing):
        openssl = curl = '[ "$(certificates)" = "$wanted" ]'
    elif outcome.category is Category.CLIENT_CERTIFICATE_REQUIRED:
        openssl, curl = "grep -q 'alert number'", "grep -Eq '^handshake 0.000000$|^exit 56$'"
    elif outcome.alert is not None:
        openssl = f"grep -q 'alert number {outcome.alert}$'"
    yield "openssl", openssl
    yield "curl", curl


_BREAK: Final = " \\\n        "
_USAGE: Final = """\
#
# usage: sh reproduce.sh [openssl|curl] [TRIES]
# exit:  0 it showed, 1 it did not, 2 a tool or a file is missing
"""
_START: Final = """\
patience=15 # seconds for one try
set -u
cd "$(dirname "$0")" || exit 2
case $tool in
openssl | curl) ;;
*) echo "usage: sh reproduce.sh [openssl|curl] [TRIES]" >&2; exit 2 ;;
esac
command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 2; }

limited() {
    if command -v timeout >/dev/null; then timeout "$patience" "$@"; else "$@"; fi
}

# The certificates in what is read, and nothing else.
certificates() {
    awk '/-----BEGIN CERTIFICATE-----/ { on = 1 }
         on { sub(/^.*-----BEGIN/, "-----BEGIN"); print }
         /-----END CERTIFICATE-----/ { on = 0 }'
}
"""
_LOOP: Final = """\
try=0
while [ "$try" -lt "$tries" ]; do
    try=$((try + 1))
    if "ask_$tool" | "shows_$tool"; then
        echo "reproduced with $tool at try $try"
        exit 0
    fi
done
echo "not reproduced with $tool in $tries tries" >&2
exit 1
"""
