"""Records what real servers answer, into `transcripts.json`, for `test_transcripts.py` to replay.

Run it from the checkout: `python -m tests.handshake.record_transcripts`. What is expected of each
is written here by hand; the bytes come from the servers of OpenSSL (the standard library's) and
BoringSSL (`utls`).
"""

from __future__ import annotations

import json
import ssl
import tempfile
from pathlib import Path

import utls

from stress.handshake import stack_for
from stress.model.plan import Client, Stack
from tests.handshake.ends import HOST, Identity, Pki, Server, make_pki

TRANSCRIPTS = Path(__file__).parent / "transcripts.json"
TLS12, TLS13 = 0x0303, 0x0304
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def hello(*versions: int) -> bytes:
    """The first flight of a client of these versions."""
    client = Client("recorder", versions=versions)
    return stack_for(client, Stack.BORINGSSL, server_name=HOST).machine().begin().send


def boring_answer(identity: Identity, sent: bytes, version: utls.TLSVersion) -> bytes:
    """What a BoringSSL server says."""
    context = utls.SSLContext(utls.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.chain_file, identity.key_file)
    context.minimum_version = context.maximum_version = version
    incoming, outgoing = utls.MemoryBIO(), utls.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(sent)
    try:
        tls.do_handshake()
    except utls.SSLError:
        return outgoing.read()
    return outgoing.read()


def refusing_suites(pki: Pki) -> Server:
    server = Server(pki.rsa).only(V12)
    server.context.set_ciphers("DHE-RSA-AES256-SHA256")
    return server


def refusing_the_name(pki: Pki) -> Server:
    server = Server(pki.ecdsa)
    server.context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    return server


def record(pki: Pki) -> list[dict[str, str]]:
    """Connects to every server once; each row: name, versions, answer (hex), outcome, stage."""
    flight12 = Server(pki.ecdsa).only(V12).answer(hello(TLS12))
    flight13 = Server(pki.ecdsa).only(V13).answer(hello(TLS13))
    boring12 = boring_answer(pki.rsa, hello(TLS12), utls.TLSVersion.TLSv1_2)
    no_suite = refusing_suites(pki).answer(hello(TLS12))
    no_version = Server(pki.ecdsa).only(V13).answer(hello(TLS12))
    boring_no_version = boring_answer(pki.ecdsa, hello(TLS12), utls.TLSVersion.TLSv1_3)
    no_name = refusing_the_name(pki).answer(hello(TLS13))
    rows = [
        ("OpenSSL, no suite", TLS12, no_suite, "no-shared-cipher", "client-hello"),
        ("OpenSSL, no version", TLS12, no_version, "no-shared-version", "client-hello"),
        ("BoringSSL, no version", TLS12, boring_no_version, "no-shared-version", "client-hello"),
        ("OpenSSL, unknown name", TLS13, no_name, "alert-112", "client-hello"),
        ("TLS 1.2 hello, cut", TLS12, flight12[:40], "eof", "client-hello"),
        ("TLS 1.2 hello, whole", TLS12, flight12[:110], "eof", "server-hello"),
        # Its signature covers the random of the recorded client, not of the one that reads it.
        ("TLS 1.2 flight of another client", TLS12, flight12, "bad-signature", "certificate"),
        ("BoringSSL's TLS 1.2 flight", TLS12, boring12, "bad-signature", "certificate"),
        ("TLS 1.2 certificate, then cut", TLS12, flight12[:-40], "eof", "certificate"),
        ("a version too old for the client", TLS13, flight12, "no-shared-version", "server-hello"),
        # The session id of ServerHello has to be the reader's own.
        ("TLS 1.3 flight of another client", TLS13, flight13, "protocol-error", "server-hello"),
        ("TLS 1.3 hello, cut", TLS13, flight13[:60], "eof", "client-hello"),
    ]
    keys = ("name", "version", "answer", "outcome", "stage")
    return [
        dict(zip(keys, (row[0], f"{row[1]:04x}", row[2].hex(), row[3], row[4]), strict=True))
        for row in rows
    ]


def main() -> None:
    """Writes the file anew."""
    with tempfile.TemporaryDirectory() as folder:
        rows = record(make_pki(Path(folder)))
    TRANSCRIPTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
