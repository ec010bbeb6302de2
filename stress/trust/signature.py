"""Checks one signature of one certificate by one key, and says when that cannot be known.

The work is `cryptography`'s. The algorithm identifiers are ours because that library no longer
verifies SHA-1 certificate signatures through its X.509 layer, and a weak but genuine signature
must be told apart from a wrong one. Whether an algorithm is acceptable is a policy's business.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING

from stress.trust.reading.certificate import CertificateFacts

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm


class Signature(Enum):
    """What became of one check."""

    GOOD = auto()
    BAD = auto()
    UNCHECKED = auto()
    """The key or the algorithm is unknown to our library; clients may know it."""


@lru_cache(maxsize=1024)
def check(child: CertificateFacts, issuer: CertificateFacts) -> Signature:
    """Whether `issuer`'s key made the signature in `child`. Names are not compared."""
    from cryptography.exceptions import (  # noqa: PLC0415  slow import, needed late
        InvalidSignature,
        UnsupportedAlgorithm,
    )

    try:
        return _verify(child, issuer.spki)
    except InvalidSignature:
        return Signature.BAD
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return Signature.UNCHECKED


def _verify(child: CertificateFacts, spki: bytes) -> Signature:
    from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415  as above
        ec,
        ed448,
        ed25519,
        padding,
        rsa,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  as above
        load_der_public_key,
    )

    scheme, signed, signature = child.signing.scheme, child.signed_part, child.signature_value
    key = load_der_public_key(spki)
    if isinstance(key, rsa.RSAPublicKey) and scheme == "RSA":
        key.verify(signature, signed, padding.PKCS1v15(), _digest(child.signing.digest))
    elif isinstance(key, rsa.RSAPublicKey) and scheme == "RSA-PSS":
        digest = _digest(child.signing.digest)
        scheme_padding = padding.PSS(padding.MGF1(digest), padding.PSS.AUTO)
        key.verify(signature, signed, scheme_padding, digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and scheme == "ECDSA":
        key.verify(signature, signed, ec.ECDSA(_digest(child.signing.digest)))
    elif isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        if scheme not in {"Ed25519", "Ed448"}:
            return Signature.BAD
        key.verify(signature, signed)
    else:
        # A known key of another kind than the algorithm asks for cannot have made it.
        return Signature.BAD if scheme else Signature.UNCHECKED
    return Signature.GOOD


def _digest(name: str) -> HashAlgorithm:
    """The library's digest.

    Raises:
        ValueError: one it has not (MD2, MD4).
    """
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415  slow import, needed late

    known: dict[str, HashAlgorithm] = {
        "MD5": hashes.MD5(),  # noqa: S303  to recognise it, not to rely on it
        "SHA-1": hashes.SHA1(),  # noqa: S303  the same
        "SHA-224": hashes.SHA224(),
        "SHA-256": hashes.SHA256(),
        "SHA-384": hashes.SHA384(),
        "SHA-512": hashes.SHA512(),
    }
    if name not in known:
        raise ValueError(f"the digest {name} is unknown")
    return known[name]
