"""GnuTLS as gnutls-cli uses it: the whole list, the host name, the purpose of a TLS server.

Standard input: one chain a line (see `oracle.py`). Runs under `faketime`.
"""

import ctypes
import sys
from base64 import b64decode

gnutls = ctypes.CDLL("libgnutls.so.30")
gnutls.gnutls_check_version.restype = ctypes.c_char_p
print("version", gnutls.gnutls_check_version(None).decode(), sep="\t")  # noqa: T201

SERVER = b"1.3.6.1.5.5.7.3.1"
DNS_HOSTNAME, KEY_PURPOSE = 1, 2  # gnutls_vdata_types_t


class Datum(ctypes.Structure):
    _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_uint))


class VerifyData(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("data", ctypes.c_char_p), ("size", ctypes.c_uint))


def certificates(ders: list[bytes]) -> list[ctypes.c_void_p]:
    """Parsed; the first that cannot be parsed raises."""
    found = []
    for der in ders:
        one = ctypes.c_void_p()
        gnutls.gnutls_x509_crt_init(ctypes.byref(one))
        failed = gnutls.gnutls_x509_crt_import(one, ctypes.byref(Datum(der, len(der))), 0)
        found.append(one)
        if failed < 0:
            raise ValueError(f"import {failed}")
    return found


def chain_of(flight: bytes) -> list[bytes]:
    """The certificates in the flight of `flight.py`."""
    messages, at = b"", 0
    while at < len(flight):
        size = int.from_bytes(flight[at + 3 : at + 5], "big")
        messages += flight[at + 5 : at + 5 + size]
        at += 5 + size
    at = 4 + int.from_bytes(messages[1:4], "big")
    body = messages[at + 7 : at + 7 + int.from_bytes(messages[at + 4 : at + 7], "big")]
    found, at = [], 0
    while at < len(body):
        size = int.from_bytes(body[at : at + 3], "big")
        found.append(body[at + 3 : at + 3 + size])
        at += 3 + size
    return found


def judge(host: str, anchors: list[bytes], sent: list[bytes]) -> str:
    """What `gnutls_x509_trust_list_verify_crt2` says."""
    trusted = ctypes.c_void_p()
    gnutls.gnutls_x509_trust_list_init(ctypes.byref(trusted), 0)
    roots = certificates(anchors)
    array = (ctypes.c_void_p * len(roots))(*roots)
    gnutls.gnutls_x509_trust_list_add_cas(trusted, array, len(roots), 0)
    chain = certificates(sent)
    array = (ctypes.c_void_p * len(chain))(*chain)
    data = (VerifyData * 2)(
        VerifyData(DNS_HOSTNAME, host.encode(), 0), VerifyData(KEY_PURPOSE, SERVER, 0)
    )
    status = ctypes.c_uint()
    failed = gnutls.gnutls_x509_trust_list_verify_crt2(
        trusted, array, len(chain), data, 2, 0, ctypes.byref(status), None
    )
    text = Datum()
    gnutls.gnutls_certificate_verification_status_print(status, 1, ctypes.byref(text), 0)
    gnutls.gnutls_x509_trust_list_deinit(trusted, 1)
    for one in chain:
        gnutls.gnutls_x509_crt_deinit(one)
    if failed:
        return f"error {failed}"
    return f"{status.value:#x} {text.data.decode()}" if status.value else "ok"


for line in sys.stdin:
    number, name, roots, flight = line.rstrip("\n").split("\t")
    try:
        said = judge(
            name, [b64decode(one) for one in roots.split(",")], chain_of(b64decode(flight))
        )
    except ValueError as error:
        said = str(error)
    print(number, said, sep="\t")  # noqa: T201
