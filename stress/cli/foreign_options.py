"""Options of other tools: whoever types one from habit gets ours as a hint.

The list has only options that tls-stress does not have, with the tools that have them. Single-dash
words such as `-connect` must be found before parsing, because they would parse as `-c onnect`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stress.errors import UsageError
from stress.report.forms import FORMS


@dataclass(frozen=True, slots=True)
class ForeignOption:
    """Spellings of one purpose, the tools that have them, and what to use here."""

    spellings: tuple[str, ...]
    tools: str
    hint: str


_FILES = frozenset(form.option for form in FORMS)
_OPTIONS = {
    "report": frozenset({"--policy", "--json", "--quiet", "--results"}) | _FILES,
    "demo": frozenset({"--count", "--json", "--quiet", "--name", "--results"}) | _FILES,
}
"""Options in the hints that a command other than `run` has, too."""

FOREIGN_OPTIONS = (
    # Trust
    ForeignOption(
        ("-k", "--insecure", "--no-verify", "--skip-verify", "--no-check-certificate"),
        "curl and others",
        "Chains are never rejected; skip validation with: --policy none",
    ),
    ForeignOption(
        ("--cacert", "--capath", "-CAfile", "--CAfile", "-CApath", "--ca-file", "--cafile"),
        "curl and openssl",
        "Give trust anchors as a PEM file: --ca FILE",
    ),
    ForeignOption(
        ("--pinnedpubkey",), "curl", "Pin a public key with: --pin sha256//BASE64 (the same form)"
    ),
    ForeignOption(
        ("-cert", "-key", "-E", "--client-cert", "--client-key"),
        "openssl and curl",
        "For mutual TLS: --cert FILE --key FILE",
    ),
    ForeignOption(
        ("-verify", "-verify_hostname", "-verify_return_error", "-showcerts", "-status"),
        "openssl",
        "Every chain is recorded and validated for the host; for another name: --sni NAME",
    ),
    # Addresses and names
    ForeignOption(
        ("-servername", "--servername", "--server-name", "--host-header", "-noservername"),
        "openssl",
        "Server name to send and validate: --sni NAME (or: --sni none)",
    ),
    ForeignOption(
        ("-connect", "--connect", "-host", "--host", "-port", "--port", "--url", "-p"),
        "openssl and others",
        "Give the target without an option: tls-stress run HOST:PORT",
    ),
    ForeignOption(
        ("--resolve", "--connect-to", "--ip"),
        "curl",
        "Give the addresses, each with an optional label: --address IP[:PORT][=LABEL]",
    ),
    ForeignOption(("--dns-servers", "--dns"), "curl", "Use another DNS server: --resolver IP"),
    ForeignOption(
        ("--interface", "--bind", "-bind", "--local-address"),
        "curl and openssl",
        "Connect from a local address: --source IP (repeatable)",
    ),
    ForeignOption(
        ("--haproxy-protocol", "--proxy-header"),
        "curl",
        "Send a PROXY header: --proxy-protocol v1 (or v2)",
    ),
    ForeignOption(
        ("-4", "-6", "--ipv4", "--ipv6", "-ipv4", "-ipv6"),
        "curl",
        "All addresses of both families are tested; to choose some: --address IP",
    ),
    ForeignOption(
        ("-x", "--proxy", "-proxy"),
        "curl",
        "There is no HTTP or SOCKS proxy; to connect to another address: --address IP:PORT",
    ),
    # Load
    ForeignOption(
        ("-z", "-t", "--timelimit", "--time", "-time"),
        "hey, ab, wrk and openssl s_time",
        "Duration: -d/--duration 30s. Worker processes: --processes N",
    ),
    ForeignOption(
        ("--requests", "--number", "--iterations", "-i", "--total"),
        "ab, k6 and others",
        "Number of handshakes: -n/--count N",
    ),
    ForeignOption(
        ("--connections", "--clients", "--vus", "-u"),
        "wrk, h2load and k6",
        "Concurrency: -c/--concurrency N. Client profile: --client NAME",
    ),
    ForeignOption(
        ("--threads", "--workers", "-w", "--cpus"),
        "wrk and others",
        "Worker processes: --processes N",
    ),
    ForeignOption(
        ("-R", "--qps", "--rps"), "wrk2, hey and others", "Handshakes per second: --rate 500"
    ),
    ForeignOption(
        ("--max-time", "-m", "--connect-timeout", "--timeout-ms", "-s"),
        "curl, hey and ab",
        "Limit of a whole attempt: --timeout 10s. Limits of its stages are keys of a profile.",
    ),
    # Handshake
    ForeignOption(
        (
            *("--tlsv1", "--tlsv1.0", "--tlsv1.1", "--tlsv1.2", "--tlsv1.3", "--tls-max"),
            *("-tls1", "-tls1_1", "-tls1_2", "-tls1_3", "-no_tls1_2", "-no_tls1_3"),
            *("--ciphers", "-cipher", "-ciphersuites", "--tls13-ciphers"),
            *("--curves", "-groups", "-curves", "-sigalgs", "-alpn", "--alpn"),
        ),
        "curl and openssl",
        "Versions, suites, groups and ALPN come from a client profile: --client NAME|FILE.toml",
    ),
    ForeignOption(
        ("-reconnect", "-sess_out", "-sess_in", "-new", "-reuse"),
        "openssl",
        "To offer sessions of earlier handshakes: --resumption 70%. Without it all are full.",
    ),
    ForeignOption(
        ("-H", "--header", "-X", "--request", "-A", "--user-agent", "--http2", "--http1.1"),
        "curl",
        "No HTTP request is sent; an attempt ends with the handshake.",
    ),
    # Output
    ForeignOption(("--silent", "-S"), "curl", "No progress and no report: -q/--quiet"),
    ForeignOption(
        ("-o", "--output", "--format", "--out"),
        "many tools",
        "The report goes to standard output; JSON: --json; files: --html FILE, --junit FILE …",
    ),
    ForeignOption(
        ("-v", "--verbose", "--debug", "-debug", "-msg", "-state"),
        "many tools",
        "The run file has all details. To print its report: tls-stress report",
    ),
)

_BY_SPELLING = {spelling: each for each in FOREIGN_OPTIONS for spelling in each.spellings}


def refuse(words: Sequence[str]) -> None:
    """Looks for an option of another tool in a command line.

    Raises:
        UsageError: there is one; the hint names ours, or that of `run` where the command has none.
    """
    for word in words:
        if word == "--":
            return
        spelling = word.partition("=")[0]
        foreign = _BY_SPELLING.get(spelling)
        if foreign is None:
            continue
        hint, command = foreign.hint, words[0]
        named = set(re.findall(r"--[a-z][a-z-]*", hint))
        if not named <= _OPTIONS.get(command, named):
            hint = f"tls-stress {command} has no such option. With tls-stress run: {hint}"
        raise UsageError(f"{spelling} is an option of {foreign.tools}, not of tls-stress", hint)
