"""Scenarios in which the failure depends on time, counted from the first connection."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from stress.lab.blueprint import Fault, FaultAction, Window
from stress.lab.certificates import LeafSpec
from stress.lab.scenario import Built, Scenario, row
from stress.lab.scenarios.chains import FALLBACK
from stress.lab.site import HOST, Site

RUN_S = 30
"""How long a run of 6,000 handshakes at 200 a second takes."""
AT_200 = ("--rate", "200")


@Scenario(
    "bad-window",
    "During ten seconds of a rolling reload each node in turn sends its leaf alone.",
    "one node after the other sends the leaf without its intermediate while it reloads",
    category="incomplete-chain",
    share=10 / RUN_S / 8,
    count=6_000,
    options=AT_200,
).built_by
def bad_window(site: Site, scenario: Scenario) -> Built:
    """Eight nodes, each bad for an eighth of the window, one after the other."""
    good, alone = site.complete_and_incomplete()
    start_s, each_s = 8 * site.pace, 10 / 8 * site.pace
    windows = [Window(start_s + index * each_s, each_s) for index in range(8)]
    nodes = tuple(
        replace(node, faults=(Fault(FaultAction.ANSWER, alone.identity, window=window),))
        for node, window in zip(row([good] * 8), windows, strict=True)
    )
    windows_s = ((start_s, start_s + 8 * each_s),)
    return scenario.single(site, nodes, windows_s=windows_s)


@Scenario(
    "default-certificate-at-start",
    "The proxy restarts every ten seconds and has only its default certificate for a second.",
    "after each restart the certificate of fallback.lab.test is served for a short time",
    category="hostname-mismatch",
    share=3 / RUN_S,
    count=6_000,
    options=AT_200,
).built_by
def default_certificate_at_start(site: Site, scenario: Scenario) -> Built:
    """Two nodes that restart together, repeatedly."""
    good, other = site.show("good", site.leaf()), site.show("fallback", site.leaf(FALLBACK))
    starts_s = [second * site.pace for second in (4, 14, 24)]
    window = Window(starts_s[0], site.pace, 10 * site.pace)
    cold = (Fault(FaultAction.ANSWER, other.identity, window=window),)
    windows_s = tuple((start_s, start_s + site.pace) for start_s in starts_s)
    return scenario.single(site, row([good] * 2, None, cold), windows_s=windows_s)


@Scenario(
    "expires-during-run",
    "The certificate expires twelve seconds after the farm has started.",
    "the leaf expires while the run goes on",
    category="expired-leaf",
    share=18 / RUN_S,
    count=6_000,
    options=AT_200,
).built_by
def expires_during_run(site: Site, scenario: Scenario) -> Built:
    """All nodes share a leaf that expires soon; the time is the certificate's, not ours."""
    ends = timedelta(seconds=12 * site.pace)
    leaf = site.leaf(LeafSpec((HOST, "lab.test"), ends=ends))
    shown = site.show("expiring", leaf)
    expires = leaf.certificate.not_valid_after_utc
    text = f"{expires:%Y-%m-%dT%H:%M:%SZ}"
    scenario = replace(scenario, sentence=f"the leaf expires at {text}")
    built = scenario.single(site, row([shown] * 4), ("time", f"from {text}"))
    return replace(built, planted=replace(built.planted, from_unix_s=int(expires.timestamp())))
