"""curl: one process for all chains, and a server that sends each its flight.

curl compares the host's name only after the handshake, which never ends here: names are not judged.

Standard input: one chain a line (see `oracle.py`). Each chain has its own address in 127/8, so that
the server knows which one is asked for. Runs under `faketime`.
"""

import socket
import subprocess
import sys
import tempfile
import threading
from base64 import b64decode
from contextlib import suppress
from pathlib import Path
from ssl import DER_cert_to_PEM_cert

curl = subprocess.run(["curl", "--version"], capture_output=True, check=True, text=True)
print("version", curl.stdout.split("\n")[0], sep="\t")  # noqa: T201
alerted: set[int] = set()
chains = [line.rstrip("\n").split("\t") for line in sys.stdin]


def address(number: int) -> str:
    """The chain's own address."""
    return f"127.77.{number >> 8}.{number & 255}"


def serve(listener: socket.socket) -> None:
    """Sends the flight that belongs to the address; notes who answers with an alert."""
    while True:
        connection, _ = listener.accept()
        with connection, suppress(OSError):  # it may go away before a long chain is sent
            third, fourth = connection.getsockname()[0].split(".")[2:]
            number = int(third) << 8 | int(fourth)
            connection.recv(4096)
            connection.sendall(b64decode(chains[number][3]))
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
            if answer[:1] == b"\x15":
                alerted.add(number)
            while answer:
                answer = connection.recv(4096)


with tempfile.TemporaryDirectory() as folder, socket.create_server(("0.0.0.0", 0)) as listener:
    port = listener.getsockname()[1]
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    sections = []
    for number, (_, host, anchors, _) in enumerate(chains):
        roots = Path(folder) / f"{number}.pem"
        ders = map(b64decode, anchors.split(","))
        roots.write_text("".join(map(DER_cert_to_PEM_cert, ders)), encoding="ascii")
        name = f"[{host}]" if ":" in host else host
        sections.append(
            f'url = "https://{name}/"\n'
            f'connect-to = "::{address(number)}:{port}"\n'
            f'cacert = "{roots}"\n'
            'noproxy = "*"\nmax-time = 20\nsilent\noutput = "/dev/null"\n'
            f'write-out = "{number} %{{exitcode}} %{{ssl_verify_result}} %{{errormsg}}\\n"\n'
        )
    config = Path(folder) / "config"
    config.write_text("next\n".join(sections), encoding="utf-8")
    done = subprocess.run(
        ["curl", "-K", str(config)],
        capture_output=True,
        check=False,
        text=True,
        errors="replace",
    )
    for line in done.stdout.splitlines():
        which, _, said = line.partition(" ")
        # Without an alert it trusted the chain, and then missed the rest of the handshake.
        refused = int(which) in alerted or said.startswith(("60 ", "77 "))
        print(chains[int(which)][0], said if refused else "ok", sep="\t")  # noqa: T201
