from __future__ import annotations

from dataclasses import replace

import pytest

from stress.codes import catalog
from stress.codes.catalog import (
    FAMILIES,
    POLICY_OF,
    alerts,
    chain_views,
    client_views,
    code_tables,
    expand_groups,
    fix_for,
    measured,
    message,
    outcome_entries,
    outcome_entry,
    phrase_for,
    phrases,
)
from stress.model.chain import Refusal, Verdict
from stress.model.outcome import Category, Kind, Outcome
from stress.trust import Judge
from stress.trust.policy import find_policy
from tests.trust.certificates import AT
from tests.trust.defects import DEFECTS

FAILURES = [one for one in Category if one.kind in {Kind.TRUST, Kind.WIRE}]


@pytest.mark.parametrize("category", FAILURES, ids=str)
def test_every_failure_says_what_each_family_would_do_and_what_cures_it(
    category: Category,
) -> None:
    name = "alert-80" if category is Category.ALERT else category.value

    views = client_views(name)

    # The families are those of apps and browsers, which never ask for TLS first.
    before_tls = {Category.STARTTLS_REFUSED, Category.STARTTLS_NOT_OFFERED}
    assert tuple(views) == (() if category in before_tls else FAMILIES)
    assert all(one.fails in {"yes", "no", "sometimes"} and one.reports for one in views.values())
    assert fix_for(name)
    assert outcome_entry(name).meaning.endswith(".")


@pytest.mark.parametrize("category", [one for one in Category if one not in FAILURES], ids=str)
def test_what_is_no_failure_of_the_target_has_a_meaning_and_no_views(category: Category) -> None:
    assert client_views(category.value) == {}
    assert outcome_entry(category.value).meaning


@pytest.mark.parametrize("family", POLICY_OF)
@pytest.mark.parametrize(
    "defect", [one for one in DEFECTS if one.category], ids=lambda one: one.name
)
def test_views_do_not_contradict_the_policies(defect: object, family: str) -> None:
    """A family whose policy refuses some chain of a category never "does not fail" there."""
    chosen = next(one for one in DEFECTS if one is defect)
    policy = POLICY_OF[family]
    view = client_views(chosen.category)[family]

    assert find_policy(policy).name == policy
    if policy in chosen.yes or policy in chosen.sometimes:
        assert view.fails in {"yes", "sometimes"}


def test_what_was_recorded_from_real_clients_stands_in_one_table() -> None:
    general = {
        (row.category, client)
        for row in measured().rows
        for client, words in row.says.items()
        if not row.when and words != "ok"
    }

    assert ("expired-leaf", "go") in general
    assert not [
        (category, client)
        for category, entry in outcome_entries().items()
        for client, (_, reports) in entry.clients.items()
        if ((category, client) in general) != ("{says}" in reports)
    ]


@pytest.mark.parametrize(
    ("client", "known", "words"),
    [
        (
            "go",
            {"host": "a.test", "names": "b.test, c.test"},
            "valid for b.test, c.test, not a.test",
        ),
        (
            "go",
            {"host": "192.0.2.1", "address": "yes"},
            "192.0.2.1 because it doesn't contain any IP",
        ),
        ("python", {"host": "192.0.2.1", "address": "yes", "alone": "yes"}, "verify code 64: IP"),
        ("java-17", {}, "No subject alternative DNS name matching … found."),
    ],
)
def test_the_message_for_what_is_known_of_a_chain(
    client: str, known: dict[str, str], words: str
) -> None:
    assert words in (message(client, "hostname-mismatch", known) or "")


def test_what_was_accepted_or_never_measured_has_no_message() -> None:
    assert message("gnutls", "weak-key") is None
    assert message("go", "revoked") is None


def verdicts(name: str) -> dict[str, Verdict]:
    """What every family says to a defect of that name."""
    defect = next(one for one in DEFECTS if one.name == name)
    judge = Judge(defect.anchors())
    return judge.verdicts(defect.make(), host=defect.host, at=AT, policies=["any"])


def test_an_issuer_that_can_be_fetched_is_missed_only_sometimes() -> None:
    named = {
        name: chain_views("incomplete-chain", verdicts(name))["ios-urlsession"]
        for name in ("incomplete-chain", "incomplete-chain-aia")
    }

    assert {name: view.fails for name, view in named.items()} == {
        "incomplete-chain": "yes",
        "incomplete-chain-aia": "sometimes",
    }
    assert "-9802" in named["incomplete-chain"].reports


def test_clients_that_accept_the_very_chain_are_distinguished_from_those_that_reject_it() -> None:
    told = chain_views("no-san", verdicts("no-san-cn-only"))
    refusing = {family for family in FAMILIES if told[family].fails == "yes"}
    judged = verdicts("no-san-cn-only")

    assert refusing == {f for f in FAMILIES if judged[POLICY_OF[f]].refusal is Refusal.YES}
    assert refusing not in (set(), set(FAMILIES))


def test_an_outcome_that_the_chain_alone_does_not_explain_gets_the_general_view() -> None:
    accepted = {
        policy: replace(one, findings=()) for policy, one in verdicts("no-san-cn-only").items()
    }

    assert chain_views("revoked", accepted) == client_views("revoked")
    assert chain_views("revoked", {}) == client_views("revoked")


def test_iphones_without_ats_show_1202_and_with_ats_1200() -> None:
    views = client_views("expired-leaf")

    assert views["ios-ats-off"].reports == (
        "NSURLErrorDomain -1202, TLS code one of -9814, -9807; SecTrust -67818"
    )
    assert views["ios-urlsession"].reports.startswith("NSURLErrorDomain -1200, TLS code -9802")
    assert "-9807, as for every trust failure" in views["ios-11"].reports


@pytest.mark.parametrize(
    ("number", "family", "shown"),
    [
        (40, "ios-urlsession", "NSURLErrorDomain -1200, TLS code -9824"),
        (112, "chrome", "net error -159"),
        (120, "ios-11", "NSURLErrorDomain -1200"),
        (80, "java-17", "Received fatal alert: internal_error"),
        (80, "go", "remote error: tls: internal error"),
        (99, "python", "SSLError: unassigned"),
    ],
)
def test_alerts_are_shown_with_their_codes(number: int, family: str, shown: str) -> None:
    assert client_views(f"alert-{number}")[family].reports == shown


def test_a_name_that_a_server_does_not_know_stops_every_family_that_sends_it() -> None:
    """All of them send it always; only a hello without a name says nothing about them."""
    sent, unsent = (client_views("alert-112", named=named) for named in (True, False))

    assert {view.fails for view in sent.values()} == {"yes"}
    assert {view.fails for view in unsent.values()} == {"sometimes"}
    assert {family: view.reports for family, view in sent.items()} == {
        family: view.reports for family, view in unsent.items()
    }


def test_the_fix_names_what_is_missing() -> None:
    assert "followed by Test CA 1, then reload" in fix_for("incomplete-chain", "Test CA 1")
    assert "followed by the intermediate certificate" in fix_for("incomplete-chain")


@pytest.mark.parametrize("name", ["", "nonsense", "alert-", "alert-999"])
def test_an_unknown_outcome_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        client_views(name)


def test_all_tables_name_outcomes_that_exist() -> None:
    named = [one.categories for table in code_tables().values() for one in table.codes.values()]
    named += [one.categories for one in phrases()]

    for categories in named:
        for name in expand_groups(categories):
            assert Outcome.parse(name).kind in {Kind.TRUST, Kind.WIRE}


def test_every_category_is_in_the_table() -> None:
    assert set(outcome_entries()) == {one.value for one in Category}
    assert all(one.phrase and one.meaning for one in outcome_entries().values())


def test_a_phrase_follows_a_number_of_handshakes() -> None:
    assert phrase_for("revoked") == "received a revoked certificate"
    assert phrase_for("alert-40") == "were refused with alert 40 (handshake_failure)"
    assert phrase_for("alert-250") == "were refused with alert 250 (unassigned)"


def test_general_trust_codes_leave_out_what_clients_report_by_a_code_of_its_own() -> None:
    general = expand_groups(["@trust", "reset"])

    assert general[0] == "incomplete-chain"
    assert general[-1] == "reset"
    assert not {"must-staple-missing", "bad-staple", "pin-mismatch"} & {*general}


def test_texts_are_sentences_of_one_line() -> None:
    for table in code_tables().values():
        assert table.source
        for one in table.codes.values():
            assert "\n" not in one.says
            assert not one.says or one.says.endswith(".")
    assert all(0 <= number <= 255 and one.says.endswith(".") for number, one in alerts().items())


def test_alerts_have_names_both_ways() -> None:
    assert catalog.alert_name(116) == "certificate_required"
    assert catalog.alert_name(99) == "unassigned"
    assert catalog.alert_number("certificate_required") == 116
    assert catalog.alert_number("no such alert") is None
