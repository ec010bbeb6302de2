"""How chains are validated: anchors, policy, time and pins, read into `Trust`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stress.errors import UsageError
from stress.model.plan import NO_POLICY, Trust
from stress.planning.request import Request
from stress.text.escape import did_you_mean, quoted
from stress.text.units import moment, option


def trust_of(request: Request, host: str, now: int) -> Trust:
    """Read the options of certificate validation.

    Args:
        request: with the profile filled in.
        host: the name that certificates are checked against.
        now: Unix seconds, for a relative `--at`.

    Raises:
        UsageError: an unknown policy, a bad time or pin, or no usable trust anchors.
    """
    from stress.trust import load_anchors, open_stores  # noqa: PLC0415 - heavy

    at = option("--at", lambda text: moment(text, now), request.at)
    pins = tuple(pin for pins in request.values("pins", tuple) for pin in pins)
    chosen = Trust(host=host, anchors_from="", at=at, pins=pins, **request.part("trust"))
    if chosen.policy == NO_POLICY and request.ca is None:
        return chosen
    if request.stores is not None:
        if request.ca is not None:
            raise UsageError(
                "--ca and --stores exclude each other: --ca replaces every root store",
                "Leave out one of them.",
            )
        open_stores(Path(request.stores))
    # Absolute, so that the commands of the report work in any folder.
    found = load_anchors(Path(request.ca).absolute() if request.ca is not None else None)
    return replace(
        chosen,
        anchors=found.certificates,
        anchors_from=found.source,
        private=found.private,
        stores=request.stores or "",
    )


def policy_name(text: str) -> str:
    """Return the name of a trust policy, or `none`.

    Raises:
        UsageError: there is no such policy; the hint has the nearest.
    """
    from stress.trust import policy_names  # noqa: PLC0415 - loads cryptography, slow to start

    known = policy_names()
    name = text.strip().lower()
    if name not in known:
        raise UsageError(f'there is no policy "{quoted(text)}"', did_you_mean(name, known))
    return name


def read_pins(text: str) -> tuple[bytes, ...]:
    """Read `sha256//BASE64`, or several with `;` between them, as curl does.

    Raises:
        UsageError: a pin is not the base64 of 32 bytes.
    """
    from stress.trust import parse_pin  # noqa: PLC0415 - loads cryptography, slow to start

    return tuple(parse_pin(word.strip()) for word in text.split(";"))
