"""Plain words for each way to fail, to be read after "98 of 20,000 handshakes"."""

from __future__ import annotations

from stress.model.outcome import Category, Outcome

_GOT = {
    Category.INCOMPLETE_CHAIN: "got an incomplete chain",
    Category.WRONG_INTERMEDIATE: "got the wrong intermediate certificate",
    Category.EXPIRED_LEAF: "got an expired certificate",
    Category.EXPIRED_INTERMEDIATE: "got a chain with an expired intermediate certificate",
    Category.NOT_YET_VALID: "got a certificate that is not yet valid",
    Category.HOSTNAME_MISMATCH: "got a certificate for another name",
    Category.NO_SAN: "got a certificate without subject alternative names",
    Category.SELF_SIGNED: "got a self-signed certificate",
    Category.UNTRUSTED_ROOT: "got a chain to a root that is not trusted",
    Category.WEAK_SIGNATURE: "got a certificate with a weak signature",
    Category.WEAK_KEY: "got a certificate with a weak key",
    Category.LIFETIME_TOO_LONG: "got a certificate with too long a lifetime",
    Category.MISSING_EKU: "got a certificate without the server purpose (no EKU)",
    Category.WRONG_EKU: "got a certificate that is not for servers (wrong EKU)",
    Category.UNHANDLED_CRITICAL_EXTENSION: "got a certificate with an unknown critical extension",
    Category.NAME_CONSTRAINTS: "got a certificate outside its issuer's name constraints",
    Category.ISSUER_NOT_CA: "got a certificate whose issuer is no CA",
    Category.PATH_LENGTH: "got a chain that is longer than its CA allows",
    Category.REVOKED: "got a revoked certificate",
    Category.MISSING_SCT: "got a certificate without certificate-transparency proofs",
    Category.MUST_STAPLE_MISSING: "got no OCSP staple though the certificate demands one",
    Category.BAD_STAPLE: "got a bad OCSP staple",
    Category.MALFORMED_CERTIFICATE: "got a malformed certificate",
    Category.PIN_MISMATCH: "got a certificate that matches no pin",
    Category.DNS: "found no address for the name",
    Category.REFUSED: "were refused",
    Category.UNREACHABLE: "found no way to the target",
    Category.TIMEOUT_CONNECT: "timed out while connecting",
    Category.TIMEOUT_HANDSHAKE: "timed out in the handshake",
    Category.RESET: "were reset",
    Category.EOF: "were closed in the handshake",
    Category.NOT_TLS: "got an answer that is not TLS",
    Category.NO_SHARED_VERSION: "found no shared TLS version",
    Category.NO_SHARED_CIPHER: "found no shared cipher suite",
    Category.CLIENT_CERTIFICATE_REQUIRED: "were asked for a client certificate",
    Category.BAD_SIGNATURE: "got a signature that does not match the certificate",
    Category.PROTOCOL_ERROR: "got an answer that breaks the protocol",
}


def got(outcome: str) -> str:
    """What the failing handshakes met, as a predicate in the plural."""
    parsed = Outcome.parse(outcome)
    if parsed.category is Category.ALERT:
        return f"were refused with alert {parsed.alert}"
    return _GOT.get(parsed.category, f"ended as {outcome}")
