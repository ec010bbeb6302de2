"""Scenarios in which some handshakes do not finish."""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec

from stress.lab.blueprint import Fault, FaultAction
from stress.lab.certificates import forged_key_pem
from stress.lab.scenario import Built, Scenario, row
from stress.lab.site import Site


@Scenario(
    "resets",
    "One node in eight resets some connections as soon as it has the ClientHello.",
    "node-08 resets 8% of its connections at the ClientHello",
    category="reset",
    share=0.01,
).built_by
def resets(site: Site, scenario: Scenario) -> Built:
    """The last of eight nodes resets 8% of its connections: 1% of all."""
    return _break_last(site, scenario, FaultAction.RESET, "client-hello")


@Scenario(
    "stalls",
    "One node in eight sometimes goes silent after its ServerHello.",
    "node-08 goes silent after ServerHello on 1.6% of its connections",
    category="timeout-handshake",
    share=0.002,
    options=("--timeout", "3s"),
).built_by
def stalls(site: Site, scenario: Scenario) -> Built:
    """The last of eight nodes falls silent on 1.6% of its connections: 0.2% of all."""
    return _break_last(site, scenario, FaultAction.SILENCE, "server-hello")


@Scenario(
    "wrong-key",
    "One node in eight has the right certificate and the wrong key.",
    "node-08 signs with a key that is not its certificate's",
    category="bad-signature",
    share=1 / 8,
    count=2_000,
).built_by
def wrong_key(site: Site, scenario: Scenario) -> Built:
    """The same leaf everywhere; the last node's signatures are made with another key."""
    leaf = site.leaf()
    assert isinstance(leaf.key, ec.EllipticCurvePrivateKey)
    good = site.show("good", leaf)
    bad = site.show("wrong-key", leaf, key=forged_key_pem(leaf.key))
    return scenario.single(site, row([good] * 7 + [bad]), ("stage", "certificate"))


@Scenario(
    "client-certificate",
    "One node in eight requires a client certificate, which TLS 1.3 clients learn late.",
    "node-08 requires a client certificate",
    category="client-certificate-required",
    share=1 / 8,
    count=2_000,
).built_by
def client_certificate(site: Site, scenario: Scenario) -> Built:
    """The same chain everywhere; the last node requires a client certificate."""
    good = site.show("good", site.leaf())
    *others, last = row([good] * 8)
    strict = replace(last, identity=replace(good.identity, client_ca=str(site.ca_file)))
    return scenario.single(site, (*others, strict), ("stage", "after-handshake"))


def _break_last(site: Site, scenario: Scenario, action: FaultAction, stage: str) -> Built:
    """Eight equal nodes, of which the last does this to the scenario's share of all connections."""
    *others, last = row([site.show("good", site.leaf())] * 8)
    broken = replace(last, faults=(Fault(action, share=scenario.share * 8),))
    return scenario.single(site, (*others, broken), ("stage", stage))
