"""Hostile logs for `explain`: large, long-lined, and made to be slow for patterns."""

from __future__ import annotations


def logs() -> dict[str, bytes]:
    """Every log by name."""
    ios = b"2026-11-29 10:00:00 App[1:2] TIC SSL Trust Error [3:0x2]: 3:-9807\n"
    return {
        "empty": b"",
        "blank": b" \n\t\n" * 1000,
        "fifty-megabytes": ios * 740_000,
        "one-long-line": b"x" * 20_000_000,
        "one-long-number": b"-" + b"9" * 5_000_000,
        "numbers": b"-9807 " * 500_000,
        "dashes": b"-" * 5_000_000,
        "spaces": b"alert" + b" " * 5_000_000 + b"x",
        "alerts": b"alert " * 500_000,
        "half-words": b"SSL_ERROR_" * 300_000,
        "brackets": b"(" * 2_000_000 + b")" * 2_000_000,
        "quotes": b'\\"' * 2_000_000,
        "names": b"NSURLErrorDomain Code=" * 200_000,
        "unknown-names": b"".join(b"ERR_STRANGE_%d " % n for n in range(400_000)),
        "unknown-numbers": b"".join(b"-%d " % n for n in range(9_000, 1_000_000)),
        "near-names": b"".join(b"SSL_ERROR_BAD_CERT_DOMAI%d\n" % n for n in range(100_000)),
        "hyphens": b"a-" * 4_000_000 + b"1",
        "one-long-word": b"alert " + b"w" * 8_000_000,
        "curl": b"curl " * 1_000_000,
        "error-at": b"error 1 at " + b"1" * 8_000_000,
        "urls": b"https://a" * 900_000,
        "url-of-length": b"https://" + b"a." * 4_000_000,
        "pretending": b"pretending to be '" * 400_000,
        "minus-signs": "\N{MINUS SIGN}".encode() * 2_500_000,
        "capitals-that-grow": "\u0130".encode() * 4_000_000,
        "verify-codes": b"verify code " * 600_000,
        "tls-alerts": b"tlsv1 alert unknown " * 400_000,
        "colons": b"error:0A000086:SSL routines:" * 100_000,
        "escapes": b"\x1b]0;owned\x07\x1b[2J -9807 \xe2\x80\xae txet \x9b31m\n" * 1000,
        "zeros": bytes(5_000_000),
        "no-utf-8": b"\xff\xfe-9807\xff" * 10_000,
        "utf-16": "-9807 kSecTrustResultRecoverableTrustFailure\n".encode("utf-16") * 1000,
    }
