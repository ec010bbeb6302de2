"""Judges by each client family: a chain in files, or the chains of a recorded run anew.

Nothing is sent, but by `--aia`. Verdicts on a run are computed from its stored certificates, so
another policy, time or assertion is only another way to read the same file, which is never changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING

from stress.errors import UsageError
from stress.host.addresses import is_public
from stress.model.plan import NO_POLICY
from stress.text.escape import printable

if TYPE_CHECKING:
    from stress.model.run import Run, RunFacts
    from stress.model.summary import Summary
    from stress.report.judgement import Judgement
    from stress.trust import Judge
    from stress.trust.aia import Fetch


def judge_chain(
    certificates: Iterable[bytes],
    host: str,
    *,
    at: str | None = None,
    policy: str | None = None,
    ca: str | None = None,
    stores: str | None = None,
) -> Judgement:
    """Return what each client family says of a chain.

    Args:
        certificates: DER, in the order in which a server sends them; read once everything else
            was checked.
        host: name or address that the client asked for.
        at: a date, an RFC 3339 time or `+30d`; None: now.
        policy: judge by this trust policy alone; None: by all.
        ca: PEM file of trust anchors to use instead of the clients' own root stores.
        stores: file of the clients' root stores, instead of those shipped.

    Raises:
        UsageError: a value is wrong, or a file cannot be read.
    """
    from stress.planning.targets import literal, reference_name  # noqa: PLC0415 - heavy
    from stress.planning.trust_options import policy_name  # noqa: PLC0415 - heavy
    from stress.report.judgement import Judgement  # noqa: PLC0415 - heavy
    from stress.text.units import moment, option  # noqa: PLC0415 - heavy
    from stress.trust import Judge, load_anchors, open_stores, policy_names  # noqa: PLC0415 - heavy
    from stress.trust.policy import find_policy  # noqa: PLC0415 - heavy

    now = int(time())
    name = option("--host", lambda text: literal(text) or reference_name(text), host) or ""
    chosen = option("--policy", policy_name, policy)
    if chosen == NO_POLICY:
        raise UsageError("the policy none judges nothing", "Leave --policy out for all of them.")
    names = [one for one in policy_names() if one != NO_POLICY and not find_policy(one).families]
    if chosen is not None:
        names = list(find_policy(chosen).families) or [chosen]
    when = option("--at", lambda text: moment(text, now), at)
    when = now if when is None else when
    anchors = load_anchors(Path(ca) if ca is not None else None)
    known = open_stores(Path(stores) if stores is not None else None)
    by = Judge(anchors, stores=known, machine=stores is None)
    sent = tuple(certificates)
    verdicts = {one: by.judge(sent, host=name, at=when, policy=one) for one in names}
    source = f"the anchors in {ca}" if ca else f"the clients' root stores of {known.made}"
    return Judgement(name, when, sent, verdicts, by.missing(sent, when), source)


MOST_BYTES = 4_000_000
"""Of a file of certificates; no chain is longer."""


def read_certificates(path: Path, shown: str) -> tuple[bytes, ...]:
    """Return the certificates of a PEM or DER file, in their order.

    Raises:
        UsageError: it cannot be read, is too large, or holds no certificate.
    """
    try:
        with path.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise UsageError(f"cannot read {shown}: {reason}") from error
    return parse_certificates(data, shown)


def parse_certificates(data: bytes, shown: str) -> tuple[bytes, ...]:
    """Return the certificates in PEM or DER, in their order.

    Raises:
        UsageError: they are too large, or there is none.
    """
    from stress.trust.anchors import certificates_of  # noqa: PLC0415 - heavy

    if len(data) > MOST_BYTES:
        raise UsageError(f"{shown} is larger than {MOST_BYTES // 1_000_000} MB: no chain is")
    return certificates_of(data, shown)


MOST_REPAIRS = 5
"""Chains for which something is fetched; each may take some seconds."""


@dataclass(frozen=True, slots=True)
class Rejudgement:
    """What replaces the settings with which a run was recorded."""

    assertions: tuple[str, ...] = ()
    """Instead of the run's own goals and assertions; empty: those."""
    policy: str | None = None
    at: int | None = None
    """Unix seconds at which chains are validated."""
    aia: bool = False
    """Fetch missing issuers of failing chains."""
    stores: str | None = None
    """File of the client families' root stores, where the run had its own."""

    def summarize(self, run: Run) -> Summary:
        """The summary of the run under these settings.

        Raises:
            UsageError: an assertion or a policy is wrong, or there is no trust store.
        """
        from stress.analysis.goals.goal import parse_goals  # noqa: PLC0415 - heavy
        from stress.report.summary import summarize  # noqa: PLC0415 - heavy

        plan = run.facts().plan
        if self.policy is not None or self.at is not None or self.aia:
            refuse_records(run.facts(), "there is no chain to judge")
        goals = parse_goals(self.assertions) or parse_goals([*plan.goals, *plan.assertions])
        judged = self.judged(run)
        return summarize(judged, goals=goals, repairs=self.repairs(judged))

    def judged(self, run: Run) -> Run:
        """The run as it would have been recorded with this policy, at this time.

        Raises:
            UsageError: there is no such policy, or no trust store.
        """
        if self.policy is None and self.at is None:
            return run
        from stress.analysis.rejudge import rejudge  # noqa: PLC0415 - heavy

        return rejudge(run, self._judge(run), policy=self.policy, at=self.at)

    def repairs(self, run: Run) -> tuple[str, ...]:
        """What fetching missing issuers proves; empty where that was not requested.

        Raises:
            UsageError: there is no trust store.
        """
        if not self.aia:
            return ()
        from stress.trust.aia import Download  # noqa: PLC0415 - heavy

        # Only a target on a private network may name an issuer on a private network, and only where
        # this command line named that target: what a file says about addresses proves nothing.
        ips = [address.ip for address in run.addresses()]
        private = run.facts().made_now and bool(ips) and not any(is_public(ip) for ip in ips)
        return repair_chains(run, self._judge(run), Download(monotonic, private_too=private))

    def _judge(self, run: Run) -> Judge:
        """Judges with the run's own anchors and pins; those of a system store are read again."""
        from stress.planning.plan import with_anchors  # noqa: PLC0415 - heavy
        from stress.trust import judge_of, load_anchors  # noqa: PLC0415 - heavy

        trust = with_anchors(run.facts().plan, self.stores).trust
        if not trust.anchors:  # nothing was judged when it was recorded
            found = load_anchors(None)
            trust = replace(trust, anchors=found.certificates, anchors_from=found.source)
        judge = judge_of(trust)
        for chain in run.chains():
            judge.meet(chain.certificates)
        return judge


AS_RECORDED = Rejudgement()


def refuse_records(facts: RunFacts, what: str) -> None:
    """Refuses what needs handshakes of ours.

    Args:
        facts: of the run in question.
        what: what cannot be done, such as `there is nothing to replay`.

    Raises:
        UsageError: the file holds records that are not ours.
    """
    if facts.records is not None:
        raise UsageError(
            f"{what}: {facts.name} holds records of {', '.join(facts.records.files[:3])}, "
            "not handshakes of a run",
            "report, compare and export work on it.",
        )


def repair_chains(run: Run, judge: Judge, fetch: Fetch) -> tuple[str, ...]:
    """Fetches what the failing chains of a run lack; one sentence each about what that proves.

    What is fetched is only shown: the verdicts of the run stay about the chains as they were sent.

    Args:
        run: the recorded run.
        judge: with its anchors and pins.
        fetch: returns the body at an http address; raises `OSError` when it cannot.
    """
    from stress.analysis.chains import short  # noqa: PLC0415 - heavy
    from stress.trust import describe  # noqa: PLC0415 - heavy
    from stress.trust.aia import repair  # noqa: PLC0415 - heavy
    from stress.trust.path import OPEN  # noqa: PLC0415 - heavy

    chains = {chain.sha256: chain for chain in run.chains()}
    lacking = {
        verdict.chain: verdict
        for verdict in run.verdicts()
        if verdict.chain in chains
        and verdict.headline is not None
        and verdict.headline.category in OPEN
        and (last := judge.last_link(chains[verdict.chain].certificates)) is not None
        and not last.self_issued
    }
    sentences: list[str] = []
    for verdict in list(lacking.values())[:MOST_REPAIRS]:
        name = f"chain {short(chains[verdict.chain])}"
        found = repair(
            judge,
            chains[verdict.chain].certificates,
            host=verdict.host,
            at=verdict.at,
            policy=verdict.policy,
            fetch=fetch,
        )
        fetched = ", ".join(
            f"{printable(describe(der).subject)} from {printable(url, 200)}"
            for der, url in zip(found.added, found.addresses, strict=True)
        )
        headline = found.after.headline
        if not fetched:
            notes = "; ".join(found.notes) or "nothing fits"
            sentences.append(f"Not proven: what {name} lacks could not be fetched ({notes}).")
        elif found.complete:
            sentences.append(f"Proven: with {fetched} added, {name} is accepted.")
        else:
            left = f"{headline.category.value}, {headline.detail}" if headline else ""
            sentences.append(f"With {fetched} added, {name} still fails: {left}.")
    return tuple(sentences)
