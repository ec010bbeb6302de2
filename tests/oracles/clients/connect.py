"""Clients of a real server that need a process for each connection, and Python itself.

    connect.py python|python-3.13|curl|gnutls

Standard input: host, port and file of roots between tabs; it answers each line with what the client
says, or `ok`.
"""

import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable


def python(host: str, port: str, roots: str, *, strict: bool = False) -> str:
    """The `ssl` module; strict as `create_default_context` is since 3.13."""
    context = ssl.create_default_context(cafile=roots)
    if strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        with socket.create_connection(("127.0.0.1", int(port)), 30) as raw:
            context.wrap_socket(raw, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return f"{error.reason}, verify code {error.verify_code}: {error.verify_message}"
    except (ssl.SSLError, OSError) as error:
        return str(error)
    return "ok"


def curl(host: str, port: str, roots: str) -> str:
    """The command."""
    command = ["curl", "--silent", "--show-error", "--cacert", roots, "--max-time", "30"]
    command += ["--connect-to", f"::127.0.0.1:{port}", "--noproxy", "*", f"https://{host}:{port}/"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    first = done.stderr.strip().partition("\n")[0]
    return re.sub(r"^curl: \((\d+)\) ", r"exit \1: ", first) or "ok"


def gnutls(host: str, port: str, roots: str) -> str:
    """`gnutls-cli`; what it says of the certificate."""
    command = ["gnutls-cli", "--x509cafile", roots, "-p", port, "127.0.0.1"]
    command += [f"--verify-hostname={host}"]
    command += [] if host[0].isdigit() else [f"--sni-hostname={host}"]
    done = subprocess.run(
        command, capture_output=True, check=False, text=True, stdin=subprocess.DEVNULL, timeout=30
    )
    said = re.search(r"- Status: (.*)", done.stdout)
    if said and "NOT trusted" in said[1]:
        return said[1].strip()
    return "ok" if said else (done.stderr.strip().splitlines() or ["nothing"])[-1]


CLIENTS: dict[str, Callable[[str, str, str], str]] = {
    "python": python,
    "python-3.13": lambda *where: python(*where, strict=True),
    "curl": curl,
    "gnutls": gnutls,
}


def version(name: str) -> str:
    """Of the program."""
    if name.startswith("python"):
        return f"{sys.version.split()[0]}, {ssl.OPENSSL_VERSION}"
    program = {"curl": "curl", "gnutls": "gnutls-cli"}[name]
    done = subprocess.run([program, "--version"], capture_output=True, check=True, text=True)
    return done.stdout.partition("\n")[0]


print(version(sys.argv[1]))  # noqa: T201
for line in sys.stdin:
    print(CLIENTS[sys.argv[1]](*line.rstrip("\n").split("\t")).replace("\n", " "))  # noqa: T201
