"""Writes `reproduce.sh`, which repeats a failure with nothing but openssl or curl.

What is true and what is tricky:

* People trust the tools they know. The script connects as they would by hand, to the fixed address,
  often enough to hit the failure with 99.9% probability, and exits 0 as soon as it does.
* A chain is recognised by being the same, byte for byte, as the PEM file beside the script;
  whether a tool would trust it does not matter, so verification is off.
* A handshake that fails is recognised by its alert, or by not having finished.
* The text may come from a stranger's run file: every value is quoted (`shlex.quote`), and
  comments are made printable and single-line.
* POSIX sh and awk; openssl 1.1.1, curl 7.88 (for `%{certs}`) or newer.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final

from stress.model.outcome import Category, Kind, Outcome, Stage
from stress.model.plan import Client, Plan
from stress.model.transcript import Transcript
from stress.text.escape import printable

FAILING_CHAIN: Final = "chain-failing.pem"
_MISSED: Final = 0.001
"""Probability of never hitting the failure although its rate is unchanged."""
_MOST_TRIES: Final = 10_000
_VERSIONS: Final = {0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}
_TLS_1_3: Final = 0x0304
_OLD: Final = 0x0303


@dataclass(frozen=True, slots=True)
class Script:
    """What the script is made from."""

    failing: Transcript
    """A connection that failed."""
    share: float
    """Failure rate at this address, as a fraction."""
    plan: Plan
    sentences: Sequence[str]
    """Comments at the head."""

    @property
    def client(self) -> Client:
        """The client profile of the failed connection."""
        number, clients = self.failing.record.client, self.plan.clients
        return clients[number] if 0 <= number < len(clients) else Client("unknown")


def reproduce(script: Script) -> str:
    """The whole text of the script."""
    plan, failing = script.plan, script.failing
    tool = "curl" if plan.proxy_protocol else "openssl"
    outcome = Outcome.parse(failing.record.outcome)
    by_chain = outcome.kind is Kind.TRUST and failing.record.chain is not None

    certificate = ""
    if plan.client_certificate is not None:
        # No path of the run file: who runs a stranger's script would show their own certificate.
        give = 'echo "set CERTIFICATE and KEY to PEM files of a client certificate" >&2; exit 2'
        certificate = f'if [ -z "${{CERTIFICATE:-}}" ]; then {give}; fi\n'

    # How the failure shows in the output of each tool.
    openssl_sign, curl_sign = "grep -q '^exit [1-9]'", "grep -q '^handshake 0.000000$'"
    if by_chain:
        openssl_sign = curl_sign = '[ "$(certificates)" = "$wanted" ]'
    elif outcome.category is Category.CLIENT_CERTIFICATE_REQUIRED:
        openssl_sign = "grep -q 'alert number'"
        curl_sign = "grep -Eq '^handshake 0.000000$|^exit 56$'"
    elif outcome.alert is not None:
        openssl_sign = f"grep -q 'alert number {outcome.alert}$'"

    parts = [
        "#!/bin/sh\n" + "".join(f"# {line}".rstrip() + "\n" for line in _comments(script)) + _USAGE,
        f"tool=${{1:-{tool}}}\ntries=${{2:-{tries(script.share)}}}\n{_START}",
        certificate,
        f"wanted=$(certificates <{FAILING_CHAIN}) || exit 2\n" if by_chain else "",
        _function("connect_openssl", _openssl_command(script)),
        _function("connect_curl", _curl_command(script)),
        f"shows_openssl() {{\n    {openssl_sign}\n}}\n",
        f"shows_curl() {{\n    {curl_sign}\n}}\n",
        _LOOP,
    ]
    return "\n".join(part for part in parts if part)


def tries(share: float) -> int:
    """How many attempts hit a failure of this rate with 99.9% probability."""
    if share >= 1:
        return 3
    if share <= 0:
        return _MOST_TRIES
    return min(_MOST_TRIES, max(3, math.ceil(math.log(_MISSED) / math.log1p(-share))))


def _comments(script: Script) -> list[str]:
    failing, client = script.failing, script.client
    lines = [
        line
        for sentence in script.sentences
        for line in textwrap.wrap(printable(sentence, 2000), 96)
    ]
    lines.append("")
    if client.cannot_express or len(script.plan.clients) > 1:
        lines += [
            f"The client was {printable(client.name)}; openssl and curl send other ClientHellos.",
            "A failure that depends on the ClientHello may not show with them.",
        ]
    if failing.record.local_port:
        lines += [
            f"The failing connection came from local port {failing.record.local_port}. A balancer",
            "that hashes ports sends the same port to the same node: SOURCE_PORT=N with curl.",
        ]
    if script.plan.proxy_protocol:
        lines.append("The target expects a PROXY header first: curl can send one, openssl cannot.")
    return lines


def _openssl_command(script: Script) -> list[str]:
    plan, failing, client = script.plan, script.failing, script.client
    name = plan.server_name if client.server_name else None
    versions = [version for version in client.versions if version in _VERSIONS]
    pause = 1 if failing.record.stage == Stage.AFTER_HANDSHAKE else 0
    words = [
        f"sleep {pause} |",
        "limited openssl s_client -showcerts",
        f"-connect {quote(str(failing.address))}",
        f"-servername {quote(name)}" if name else "-noservername",
    ]
    if len(versions) == 1:
        words.append(f"-tls{_VERSIONS[versions[0]].replace('.', '_').removesuffix('_0')}")
    elif versions and _TLS_1_3 not in versions:
        words.append("-no_tls1_3")
    if versions and max(versions) < _OLD:
        words.append("-cipher DEFAULT:@SECLEVEL=0")
    if plan.client_certificate is not None:
        words.append('-cert "$CERTIFICATE" -key "$KEY"')
    return [*words, "2>&1"]


def _curl_command(script: Script) -> list[str]:
    plan, address, client = script.plan, script.failing.address, script.client
    ip = f"[{address.ip}]" if ":" in address.ip else address.ip
    # curl sends no SNI where the URL has an address.
    host = (plan.server_name if client.server_name else None) or ip
    versions = [version for version in client.versions if version in _VERSIONS]
    words = ["limited curl --silent --insecure --output /dev/null", '--max-time "$patience"']
    if versions and max(versions) < _TLS_1_3:
        words.append(f"--tls-max {_VERSIONS[max(versions)]}")
    if versions and min(versions) >= _TLS_1_3:
        words.append("--tlsv1.3")
    if versions and max(versions) < _OLD:
        words.append("--ciphers DEFAULT:@SECLEVEL=0")
    if plan.proxy_protocol:
        words.append("--haproxy-protocol")
    words += [
        '${SOURCE_PORT:+--local-port "$SOURCE_PORT"}',
        f"--connect-to {quote(f'{host}:{address.port}:{ip}:{address.port}')}",
        "--write-out 'handshake %{time_appconnect}\\n%{certs}\\n'",
    ]
    if plan.client_certificate is not None:
        words.append('--cert "$CERTIFICATE" --key "$KEY"')
    return [*words, quote(f"https://{host}:{address.port}/")]


def _function(name: str, words: Sequence[str]) -> str:
    """A shell function of one command, which prints its exit code as its last line."""
    return f'{name}() {{\n    {(_BREAK).join(words)}\n    echo "exit $?"\n}}\n'


_BREAK: Final = " \\\n        "
_USAGE: Final = """\
#
# usage: sh reproduce.sh [openssl|curl] [TRIES]
# exit:  0 reproduced, 1 not reproduced, 2 a tool or a file is missing
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

# Prints the certificates in its input, and nothing else.
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
    if "connect_$tool" | "shows_$tool"; then
        echo "reproduced with $tool at try $try"
        exit 0
    fi
done
echo "not reproduced with $tool in $tries tries" >&2
exit 1
"""
