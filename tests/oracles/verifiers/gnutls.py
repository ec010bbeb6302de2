"""GnuTLS as a client, through its C library.

Standard input: one chain a line (see `oracle.py`). Runs under `faketime`. The words are those that
`gnutls-cli` prints, or the error of the handshake.
"""

import ctypes
import ctypes.util
import socket
import sys
from base64 import b64decode
from ssl import DER_cert_to_PEM_cert
from typing import Any

library = ctypes.CDLL(ctypes.util.find_library("gnutls") or "libgnutls.so.30")
library.gnutls_check_version.restype = ctypes.c_char_p
library.gnutls_strerror.restype = ctypes.c_char_p
_CLIENT, _PEM, _X509, _DNS, _NO_SIGNAL = 2, 1, 1, 1, 64
_PULLED = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Datum(ctypes.Structure):
    """gnutls_datum_t."""

    _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_uint))


def said(host: str, anchors: list[bytes], flight: bytes) -> str:
    """What GnuTLS says to the server's flight."""
    credentials, session = ctypes.c_void_p(), ctypes.c_void_p()
    library.gnutls_certificate_allocate_credentials(ctypes.byref(credentials))
    for der in anchors:
        pem = DER_cert_to_PEM_cert(der).encode()
        library.gnutls_certificate_set_x509_trust_mem(
            credentials, ctypes.byref(Datum(pem, len(pem))), _PEM
        )
    library.gnutls_init(ctypes.byref(session), _CLIENT)
    library.gnutls_set_default_priority(session)
    library.gnutls_credentials_set(session, _X509, credentials)
    name = host.encode()
    if not (host[0].isdigit() or ":" in host):
        library.gnutls_server_name_set(session, _DNS, name, ctypes.c_size_t(len(name)))
    library.gnutls_session_set_verify_cert(session, name, 0)
    near, far = socket.socketpair()
    with near, far:
        far.sendall(flight)
        far.shutdown(socket.SHUT_WR)
        library.gnutls_transport_set_int2(session, near.fileno(), near.fileno())
        code = library.gnutls_handshake(session)
    status: Any = library.gnutls_session_get_verify_cert_status(session)
    words = "ok"
    if status not in {0, 0xFFFFFFFF, -1}:
        text = Datum()
        library.gnutls_certificate_verification_status_print(status, _X509, ctypes.byref(text), 0)
        words = (text.data or b"").decode()
    elif status != 0:
        words = library.gnutls_strerror(code).decode()
    library.gnutls_deinit(session)
    library.gnutls_certificate_free_credentials(credentials)
    return words.strip()


print("version", library.gnutls_check_version(None).decode(), sep="\t")  # noqa: T201
for line in sys.stdin:
    chain, asked, roots, sent = line.rstrip("\n").split("\t")
    answer = said(asked, list(map(b64decode, roots.split(","))), b64decode(sent))
    print(chain, answer.replace("\n", " "), sep="\t")  # noqa: T201
