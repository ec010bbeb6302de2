"""Scenarios in which some connections get a different chain."""

from __future__ import annotations

from datetime import timedelta

from stress.lab.blueprint import Balancing, Pool, Process
from stress.lab.certificates import LeafSpec
from stress.lab.scenario import Built, Scenario, row
from stress.lab.site import HOST, Site

DAY = timedelta(days=1)
EXPIRED = LeafSpec((HOST, "lab.test"), begins=-91 * DAY, ends=-DAY)
FALLBACK = LeafSpec(("fallback.lab.test",), organization="Default certificate")

HOSTILE = LeafSpec(
    ("<b>bold</b>.lab.test", "'; drop table chain; --", "=cmd.lab.test"),
    common_name="<script>alert(1)</script>\x1b[2J\x07",
    organization="\u202egro\u202c \x1b]0;title\x07 \r\n=1+1",
)


@Scenario(
    "healthy",
    "Twelve nodes behind a balancer, all of them healthy.",
    "nothing is wrong",
    category=None,
    share=0.0,
).built_by
def healthy(site: Site, scenario: Scenario) -> Built:
    """Twelve nodes with the same chain."""
    good = site.show("good", site.leaf())
    return scenario.single(site, row([good] * 12), policy=Balancing.ROUND_ROBIN)


@Scenario(
    "missing-intermediate",
    "One node in twelve was given cert.pem instead of fullchain.pem and gets 0.5% of the load.",
    "node-12 sends the leaf without its intermediate, to 0.5% of the connections",
    category="incomplete-chain",
    share=0.005,
    count=20_000,
).built_by
def missing_intermediate(site: Site, scenario: Scenario) -> Built:
    """The same leaf everywhere; the last node sends it alone."""
    good, alone = site.complete_and_incomplete()
    share = scenario.share
    weights = [(1 - share) / 11] * 11 + [share]
    return scenario.single(site, row([good] * 11 + [alone], weights), ("chain", alone.sha256))


@Scenario(
    "stale-certificate",
    "One node in eight missed the reload after the renewal and still serves the expired leaf.",
    "node-08 serves a leaf that expired a day ago",
    category="expired-leaf",
    share=1 / 8,
    count=2_000,
).built_by
def stale_certificate(site: Site, scenario: Scenario) -> Built:
    """The last of eight nodes has last quarter's leaf."""
    good, stale = site.show("good", site.leaf()), site.show("stale", site.leaf(EXPIRED))
    return scenario.single(site, row([good] * 7 + [stale]), ("chain", stale.sha256))


@Scenario(
    "default-certificate",
    "One node in eight lacks the virtual host and answers with its default certificate.",
    "node-08 serves the certificate of fallback.lab.test",
    category="hostname-mismatch",
    share=1 / 8,
    count=2_000,
).built_by
def default_certificate(site: Site, scenario: Scenario) -> Built:
    """The last of eight nodes has a certificate for another name only."""
    good, other = site.show("good", site.leaf()), site.show("fallback", site.leaf(FALLBACK))
    return scenario.single(site, row([good] * 7 + [other]), ("chain", other.sha256))


@Scenario(
    "two-processes-one-port",
    "After a reload the old process still listens on the same port, with the expired leaf.",
    "the old process serves a leaf that expired a day ago",
    category="expired-leaf",
    share=0.5,
    count=2_000,
).built_by
def two_processes(site: Site, scenario: Scenario) -> Built:
    """Two processes share a port; the kernel chooses between them."""
    new, old = site.show("new", site.leaf()), site.show("old", site.leaf(EXPIRED))
    fronts = site.twins()
    processes = tuple(
        Process((Pool((front,), Balancing.ROUND_ROBIN, row([shown], prefix=name), site.seed),))
        for front, shown, name in zip(fronts, (new, old), ("new", "old"), strict=True)
    )
    planted = scenario.plant(("chain", old.sha256))
    return Built(processes, (fronts[0].address,), planted)


@Scenario(
    "ipv6-only",
    "The chain is complete on IPv4 and lacks its intermediate on IPv6.",
    "the nodes behind ::1 send the leaf without its intermediate",
    category="incomplete-chain",
    share=0.5,
    count=2_000,
).built_by
def ipv6_only(site: Site, scenario: Scenario) -> Built:
    """One host, two addresses, two configurations."""
    good, alone = site.complete_and_incomplete()
    four, six = site.front("127.0.0.1"), site.front("::1")
    pools = (
        Pool((four,), Balancing.ROUND_ROBIN, row([good] * 2, prefix="four"), site.seed),
        Pool((six,), Balancing.ROUND_ROBIN, row([alone] * 2, prefix="six"), site.seed),
    )
    planted = scenario.plant(("address", str(six.address)))
    return Built((Process(pools),), (four.address, six.address), planted)


@Scenario(
    "hostile-names",
    "One node in eight has a certificate whose names attack any program that prints them.",
    "node-08 serves a certificate for hostile names",
    category="hostname-mismatch",
    share=1 / 8,
    count=2_000,
).built_by
def hostile_names(site: Site, scenario: Scenario) -> Built:
    """The last of eight nodes: markup, terminal escapes, bidi marks, formulas in every name."""
    attack = '"><svg onload=alert(1)> \x1b[31m \u2066'
    issuer = site.authority.intermediate(attack, site.now)
    good, odd = site.show("good", site.leaf()), site.show("hostile", site.leaf(HOSTILE, issuer))
    return scenario.single(site, row([good] * 7 + [odd]), ("chain", odd.sha256))
