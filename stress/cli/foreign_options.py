"""Options of neighbouring tools: whoever types one from habit is told ours.

Only options that we do not have stand here, with the tools they come from. Single-dash words such
as `-connect` must be found before parsing, because they read as `-c onnect`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stress.errors import UsageError


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Spellings of one wish, where they come from, and what to type here."""

    spellings: tuple[str, ...]
    tools: str
    hint: str


_TRUST = (
    Neighbour(
        ("-k", "--insecure", "--no-verify", "--skip-verify", "--no-check-certificate"),
        "curl and others",
        "Every chain is recorded whatever it is. To judge none of them: --policy none",
    ),
    Neighbour(
        ("--cacert", "--capath", "-CAfile", "--CAfile", "-CApath", "--ca-file", "--cafile"),
        "curl and openssl",
        "Trust anchors come from a PEM file: --ca FILE",
    ),
    Neighbour(
        ("--pinnedpubkey",), "curl", "Pin a public key with: --pin sha256//BASE64 (the same form)"
    ),
    Neighbour(
        ("-cert", "-key", "-E", "--client-cert", "--client-key"),
        "openssl and curl",
        "For mutual TLS: --cert FILE --key FILE",
    ),
    Neighbour(
        ("-verify", "-verify_hostname", "-verify_return_error", "-showcerts", "-status"),
        "openssl",
        "Every chain is kept and judged for the host; another name is given with: --sni NAME",
    ),
)
_WHERE = (
    Neighbour(
        ("-servername", "--servername", "--server-name", "--host-header", "-noservername"),
        "openssl",
        "The name that is sent and checked: --sni NAME (or: --sni none)",
    ),
    Neighbour(
        ("-connect", "--connect", "-host", "--host", "-port", "--port", "--url", "-p"),
        "openssl and others",
        "The target stands alone: tls-stress run HOST:PORT",
    ),
    Neighbour(
        ("--resolve", "--connect-to", "--ip"),
        "curl",
        "Name the addresses to dial, with a label if you like: --address IP[:PORT][=LABEL]",
    ),
    Neighbour(("--dns-servers", "--dns"), "curl", "Ask another DNS server with: --resolver IP"),
    Neighbour(
        ("--interface", "--bind", "-bind", "--local-address"),
        "curl and openssl",
        "Dial from a local address with: --source IP (repeatable)",
    ),
    Neighbour(
        ("--haproxy-protocol", "--proxy-header"),
        "curl",
        "Send a PROXY header with: --proxy-protocol v1 (or v2)",
    ),
    Neighbour(
        ("-4", "-6", "--ipv4", "--ipv6", "-ipv4", "-ipv6"),
        "curl",
        "All addresses of both families are sampled; choose some with: --address IP",
    ),
    Neighbour(
        ("-x", "--proxy", "-proxy"),
        "curl",
        "Handshakes go straight to the target; dial another address with: --address IP:PORT",
    ),
)
_LOAD = (
    Neighbour(
        ("-z", "-t", "--timelimit", "--time", "-time"),
        "hey, ab, wrk and openssl s_time",
        "How long to run: -d/--duration 30s. How many processes: --processes N",
    ),
    Neighbour(
        ("--requests", "--number", "--iterations", "-i", "--total"),
        "ab, k6 and others",
        "How many handshakes in all: -n/--count N",
    ),
    Neighbour(
        ("--connections", "--clients", "--vus", "-u"),
        "wrk, h2load and k6",
        "How many at once: -c/--concurrency N. Which program to ask as: --client NAME",
    ),
    Neighbour(("--threads", "--workers", "-w", "--cpus"), "wrk and others", "Use: --processes N"),
    Neighbour(("-R", "--qps", "--rps"), "wrk2, hey and others", "Handshakes a second: --rate 500"),
    Neighbour(
        ("--max-time", "-m", "--connect-timeout", "--timeout-ms", "-s"),
        "curl, hey and ab",
        "An attempt is bounded by: --timeout 10s. Stages have limits in a profile.",
    ),
)
_ASKING = (
    Neighbour(
        (
            *("--tlsv1", "--tlsv1.0", "--tlsv1.1", "--tlsv1.2", "--tlsv1.3", "--tls-max"),
            *("-tls1", "-tls1_1", "-tls1_2", "-tls1_3", "-no_tls1_2", "-no_tls1_3"),
            *("--ciphers", "-cipher", "-ciphersuites", "--tls13-ciphers"),
            *("--curves", "-groups", "-curves", "-sigalgs", "-alpn", "--alpn"),
        ),
        "curl and openssl",
        "Versions, suites, groups and ALPN belong to a client: --client NAME|FILE.toml",
    ),
    Neighbour(
        ("-reconnect", "-sess_out", "-sess_in", "-new", "-reuse"),
        "openssl",
        "Every handshake is a full one.",
    ),
    Neighbour(
        ("-H", "--header", "-X", "--request", "-A", "--user-agent", "--http2", "--http1.1"),
        "curl",
        "Nothing is asked after the handshake, so there is no HTTP to shape.",
    ),
)
_OUTPUT = (
    Neighbour(("--silent", "-S"), "curl", "No progress and no report: -q/--quiet"),
    Neighbour(
        ("-o", "--output", "--format", "--out"),
        "many tools",
        "The report goes to standard output, as JSON with --json; the run file: --name NAME",
    ),
    Neighbour(
        ("-v", "--verbose", "--debug", "-debug", "-msg", "-state"),
        "many tools",
        "Everything that was seen is in the run file; show it with: tls-stress report",
    ),
)

NEIGHBOURS = (*_TRUST, *_WHERE, *_LOAD, *_ASKING, *_OUTPUT)
_ELSEWHERE = {
    "report": frozenset({"--policy", "--json", "--quiet", "--results"}),
    "demo": frozenset({"--count", "--json", "--quiet", "--name", "--results"}),
}
"""What of the options in hints other commands have, too."""
_BY_SPELLING = {spelling: each for each in NEIGHBOURS for spelling in each.spellings}


def refuse(words: Sequence[str]) -> None:
    """Looks for an option of another tool among the words of a command line.

    Raises:
        UsageError: there is one; the hint names ours, or that of `run` where others have none.
    """
    for word in words:
        if word == "--":
            return
        spelling = word.partition("=")[0]
        neighbour = _BY_SPELLING.get(spelling)
        if neighbour is not None:
            raise UsageError(
                f"{spelling} is an option of {neighbour.tools}, not of tls-stress",
                _hint(neighbour.hint, words[0]),
            )


def _hint(hint: str, command: str) -> str:
    """As it stands for `run`; elsewhere only where each option in it is there as well."""
    named = set(re.findall(r"--[a-z][a-z-]*", hint))
    if named <= _ELSEWHERE.get(command, named):
        return hint
    return f"tls-stress {command} has no such option. Of tls-stress run: {hint}"
