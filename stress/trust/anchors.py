"""Loads the trust anchors: the user's file, else the system's store, else `certifi`.

A store that is missing or empty is the fault of the user or the machine, and raises: without
anchors, every chain of a healthy target would look untrusted.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from stress.errors import UsageError
from stress.trust.reading.certificate import describe, subject_of
from stress.trust.reading.der import DerError, elements

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"

_COMMON_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # the same, newer
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


@dataclass(frozen=True, slots=True)
class Anchors:
    """The certificates that a path must end in."""

    certificates: tuple[bytes, ...]
    """DER."""
    source: str
    """`system`, `certifi`, or the file's name."""
    private: bool
    """True for a user's own file: the rules for publicly trusted roots do not apply."""

    def known_publicly(self) -> frozenset[bytes]:
        """SHA-256 of those anchors under which the rules for public roots apply.

        A system store also holds what its owner added (a company's own root), and clients judge
        such roots as private. So of the system's anchors only those count as public that are also
        in Mozilla's list (`certifi`).
        """
        if self.private:
            return frozenset()
        own = frozenset(sha256(der).digest() for der in self.certificates)
        if self.source != "system":
            return own
        return own & frozenset(sha256(der).digest() for der in _certifi())


def load_anchors(ca: Path | None) -> Anchors:
    """The anchors of the file `ca`, else of the system, else of `certifi`.

    The system's are in `SSL_CERT_FILE` or the compiled-in file, the common places, or the hashed
    folder.

    Raises:
        UsageError: the file cannot be read, holds no certificate or a broken one; no store at all.
    """
    if ca is not None:
        return Anchors(_user_file(ca), str(ca), private=True)
    import ssl  # noqa: PLC0415 - heavy, and not needed where a run brings its anchors

    paths = ssl.get_default_verify_paths()
    places = [Path(file) for file in (paths.cafile, *_COMMON_FILES) if file]
    if paths.capath and Path(paths.capath).is_dir():
        places += sorted(Path(paths.capath).glob("ca-*.pem"))
    found = first_store(places)
    if found:
        return Anchors(found, "system", private=False)
    return Anchors(_certifi(), "certifi", private=False)


def first_store(files: Iterable[Path]) -> tuple[bytes, ...]:
    """The readable certificates of the first file that has any; empty if none has.

    What cannot be parsed in a system's store is left out: the user did not choose it for this run.
    """
    for file in files:
        try:
            text = file.read_text("utf-8", "replace")
        except OSError:
            continue
        ders = [der for _, der in _blocks(text) if der and subject_of(der) is not None]
        if ders:
            return tuple(dict.fromkeys(ders))
    return ()


def _certifi() -> tuple[bytes, ...]:
    import certifi  # noqa: PLC0415  needed only where the system has no store

    found = first_store([Path(certifi.where())])
    if not found:
        raise UsageError(
            f"no trust anchors: neither the system nor {certifi.where()} has any",
            "name a file of PEM certificates with --ca FILE",
        )
    return found


def _user_file(file: Path) -> tuple[bytes, ...]:
    """The certificates of a PEM file.

    Raises:
        UsageError: none, or one that cannot be parsed, with its line.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read the trust anchors {file}: {error.strerror or error}",
            "--ca takes a file of PEM certificates, as curl's --cacert",
        ) from error
    ders = []
    for line, der in _blocks(data.decode("utf-8", "replace")):
        reason = "its PEM is broken" if der is None else describe(der).unreadable
        if der is None or reason:
            raise UsageError(
                f"the certificate at line {line} of {file} cannot be parsed: {reason}",
                "export it again as PEM (base64 between BEGIN and END CERTIFICATE)",
            )
        ders.append(der)
    if ders:
        return tuple(dict.fromkeys(ders))
    hint = "--ca takes a file with one or more -----BEGIN CERTIFICATE----- blocks"
    if not data.strip():
        raise UsageError(f"{file} is empty: it holds no trust anchor", hint)
    if data[:1] == b"\x30":
        hint = f"openssl x509 -inform der -in {file} -out anchors.pem"
        raise UsageError(f"{file} is not PEM (it looks like DER)", hint)
    if b"PRIVATE KEY-----" in data:
        raise UsageError(f"{file} holds a private key, but no certificate", hint)
    first = data.splitlines()[0][:40].decode("utf-8", "replace")
    raise UsageError(f"{file} holds no PEM certificate; line 1 is {first!r}", hint)


def certificates_of(data: bytes, shown: str) -> tuple[bytes, ...]:
    """The certificates in PEM or DER, in their order; whether they can be parsed is not looked at.

    Args:
        data: what a file holds.
        shown: its name, for messages.

    Raises:
        UsageError: it holds none, or PEM that is broken.
    """
    ders = []
    for line, der in _blocks(data.decode("utf-8", "replace")):
        if der is None:
            raise UsageError(
                f"the certificate at line {line} of {shown} is cut off or not base64",
                "Copy it again, from -----BEGIN to -----END CERTIFICATE-----.",
            )
        ders.append(der)
    if ders:
        return tuple(ders)
    if data[:1] == b"\x30":  # DER: certificates one after the other
        try:
            return tuple(one.raw for one in elements(data))
        except DerError:
            return (data,)
    hint = "Give certificates as PEM or DER, in the order in which the server sends them."
    if b"PRIVATE KEY-----" in data:
        raise UsageError(f"{shown} holds a private key, but no certificate", hint)
    what = "is empty" if not data.strip() else "holds no certificate"
    raise UsageError(f"{shown} {what}", hint)


def _blocks(text: str) -> Iterator[tuple[int, bytes | None]]:
    """Line number and DER of each PEM certificate; None where it is cut or not base64."""
    start, body = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() == _BEGIN:
            if start:
                yield start, None
            start, body = number, []
        elif line.strip() == _END and start:
            try:
                yield start, b64decode("".join(body), validate=True)
            except (binascii.Error, ValueError):
                yield start, None
            start = 0
        elif start:
            body.append(line.strip())
    if start:
        yield start, None
