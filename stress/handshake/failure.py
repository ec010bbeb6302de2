"""The one table from the errors of TLS libraries to the contract's outcomes.

Each adapter translates its library's reasons into one spelling (`spell`) and reports the number of
a received alert. Nothing else in the project looks at a library's error texts. Reasons are in the
library's order, the deepest cause first; the outermost known one decides.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from stress.codes.catalog import alert_name
from stress.model.outcome import Category, Outcome, Stage

CLOSE_NOTIFY: Final = 0
_CERTIFICATE_REQUIRED: Final = 116

_BEFORE_SERVER_HELLO: Final[Mapping[int, Category]] = {
    40: Category.NO_SHARED_CIPHER,  # handshake_failure: OpenSSL, BoringSSL, NSS, Go send it
    70: Category.NO_SHARED_VERSION,  # protocol_version
    71: Category.NO_SHARED_CIPHER,  # insufficient_security: NSS, Java
}
"""Alerts that reject the ClientHello itself."""

_CERTIFICATE_REQUESTED: Final = frozenset({40, 41, 42, 46, 49})
"""Alerts by which TLS 1.2 servers end a handshake in which the client sent no certificate."""

_REASONS: Final[Mapping[str, tuple[Category, Stage]]] = {
    reason: (Category(category), Stage.parse(stage))
    for category, stages in tomllib.loads(
        (files("stress.handshake") / "reasons.toml").read_text("utf-8")
    ).items()
    for stage, reasons in stages.items()
    for reason in reasons
}
"""Reason -> outcome, and the stage that the reason proves. All others: `protocol-error`."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The error with which a TLS library gives up."""

    reasons: tuple[str, ...]
    """In one spelling, deepest cause first; may be empty."""
    alert: int | None = None
    """Number of the received alert, None if the cause was not an alert."""


def spell(library: str, reason: str) -> str:
    """One spelling for both libraries: `BAD_SIGNATURE` of SSL itself, else `ASN1:DECODE_ERROR`.

    Args:
        library: such as `SSL routines` or `ASN.1 encoding routines`; its first word is kept.
        reason: such as `bad signature` or `BAD_SIGNATURE`.
    """
    part = library.partition(" ")[0].replace(".", "").upper()
    words = reason.strip().replace(" ", "_").upper()
    return words if part in {"SSL", ""} else f"{part}:{words}"


def judge(failure: Failure, stage: Stage, *, requested: bool) -> tuple[Outcome, Stage]:
    """Names the outcome of a failed handshake, and the stage that it proves.

    Args:
        failure: the library's error.
        stage: how far the handshake is known to have got.
        requested: a client certificate was requested, and none was sent.
    """
    number = failure.alert
    if number is not None:
        outcome = Outcome(Category.ALERT, number)
        if number == _CERTIFICATE_REQUIRED or (requested and number in _CERTIFICATE_REQUESTED):
            outcome = Outcome(Category.CLIENT_CERTIFICATE_REQUIRED)
        elif stage < Stage.SERVER_HELLO and number in _BEFORE_SERVER_HELLO:
            outcome = Outcome(_BEFORE_SERVER_HELLO[number])
        return outcome, stage
    for reason in reversed(failure.reasons):
        if reason in _REASONS:
            category, proven = _REASONS[reason]
            return Outcome(category), max(stage, proven)
    return Outcome(Category.PROTOCOL_ERROR), stage


def describe(failure: Failure, sent: int | None) -> str:
    """Describes what happened: the alert received, or the reason and the alert sent."""
    if failure.alert is not None:
        return f"alert {failure.alert} {alert_name(failure.alert)} received"
    reason = ", ".join(dict.fromkeys(failure.reasons)) or "no reason given"
    return reason if sent is None else f"{reason}; alert {sent} {alert_name(sent)} sent"
