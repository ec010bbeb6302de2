"""Writes `reproduce.sh`, which repeats a failure with nothing but openssl or curl.

What is true and what is tricky:

* People trust the tools they know. The script connects as they would by hand, to the fixed address,
  often enough to hit the failure with 99.9% probability, and exits 0 as soon as it does.
* A chain is recognised by being the same, byte for byte, as the PEM file beside the script;
  whether a tool would trust it does not matter, so verification is off.
* A handshake that fails is recognised by its alert, or by not having finished.
* The text may come from a stranger's run file: every value in the template is quoted
  (`shlex.quote`), except in comments, where it is made printable and single-line.
* Through SOCKS 5 only curl can go. Together with STARTTLS neither can; the script says so.
* Only openssl can ask for TLS first in every protocol (STARTTLS); then curl is left out.
* POSIX sh and awk; openssl 1.1.1, curl 7.88 (for `%{certs}`) or newer.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from shlex import quote
from typing import Final

from stress.model.outcome import Kind, Outcome, Stage
from stress.model.plan import Client, Plan, ProxyScheme
from stress.model.transcript import Transcript
from stress.text.escape import printable
from stress.text.templates import template

_MISSED: Final = 0.001
"""Probability of never hitting the failure although its rate is unchanged."""
_MOST_TRIES: Final = 10_000
_VERSIONS: Final = {0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}


def reproduce(failing: Transcript, share: float, plan: Plan, sentences: Sequence[str]) -> str:
    """The whole text of the script.

    Args:
        failing: a connection that failed.
        share: the failure rate at its address, as a fraction.
        plan: of the run.
        sentences: comments at the head.
    """
    record, address, outcome = (
        failing.record,
        failing.address,
        Outcome.parse(failing.record.outcome),
    )
    known = 0 <= record.client < len(plan.clients)
    client = plan.clients[record.client] if known else Client("unknown")
    name = plan.server_name if client.server_name else None
    ip = f"[{address.ip}]" if ":" in address.ip else address.ip
    wrapped = [line for one in sentences for line in textwrap.wrap(printable(one, 2000), 96)]
    return template(__package__, "reproduce.sh.jinja", quote, comment=printable).render(
        comments=wrapped,
        client=client,
        record=record,
        plan=plan,
        tries=tries(share),
        by_chain=outcome.kind is Kind.TRUST and record.chain is not None,
        outcome=outcome,
        # What an alert after the handshake says arrives only if openssl waits for it.
        # openssl asks a proxy by CONNECT alone; the scheme of curl leaves names to the proxy.
        by_openssl=plan.proxy is None or plan.proxy.scheme is ProxyScheme.HTTP,
        curl_proxy=plan.proxy and str(plan.proxy).replace("socks5:", "socks5h:"),
        pause=int(record.stage == Stage.AFTER_HANDSHAKE),
        address=address,
        ip=ip,
        name=name,
        host=name or ip,  # curl sends no SNI where the URL has an address
        versions=sorted({_VERSIONS[one] for one in client.versions if one in _VERSIONS}),
    )


def tries(share: float) -> int:
    """How many attempts hit a failure of this rate with 99.9% probability."""
    if share >= 1:
        return 3
    if share <= 0:
        return _MOST_TRIES
    return min(_MOST_TRIES, max(3, math.ceil(math.log(_MISSED) / math.log1p(-share))))
