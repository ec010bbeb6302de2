from dataclasses import replace

import pytest
from cryptography import x509

from stress.analysis.causes.likely import Signs, likely
from stress.analysis.causes.signs import (
    ACME_IDENTIFIER,
    facts_of_the_answers,
    facts_of_the_chain,
    facts_of_the_clients,
    facts_of_the_place,
    facts_of_the_plan,
    facts_of_the_roots,
    facts_of_the_staples,
)
from stress.model.outcome import ClientView
from stress.model.plan import Address, Client, Load, Plan, Stack, Target, Trust
from stress.model.record import Record
from stress.model.run import SeenChain
from tests.analysis.worlds import attempt
from tests.trust.certificates import Wanted, authorities, issue, leaf
from tests.trust.defects import good, same_name_other_key, self_signed

A = authorities()
PLAN = Plan(Target("shop.test", 443), (Address("192.0.2.7", 443),), (Client("generic"),))


def seen(*certificates: bytes) -> SeenChain:
    return SeenChain(1, b"", certificates, 1, 0, 0)


def test_the_plan_says_what_was_sent() -> None:
    plan = replace(
        PLAN,
        server_name="shop.test",
        proxy_protocol="v1",
        load=Load(None, rate=20.0, hold_s=3.0),
        trust=Trust(private=True),
    )

    assert facts_of_the_plan(plan) == {
        "one-address",
        "sni-always-sent",
        "proxy-header-sent",
        "connections-held",
        "steady-load",
        "private-ca",
        "large-hello",
    }
    assert "address-target" in facts_of_the_plan(replace(PLAN, target=Target("192.0.2.7", 443)))


@pytest.mark.parametrize(
    ("client", "stack", "size"),
    [
        (Client("x"), Stack.BORINGSSL, {"large-hello"}),
        (Client("x"), Stack.OPENSSL, set()),
        (Client("x", groups=(29, 23)), Stack.BORINGSSL, {"small-hello"}),
        (Client("x", groups=(0x11EC, 29)), Stack.BORINGSSL, {"large-hello"}),
        (Client("x", groups=(29, 0x11EC), key_shares=(29,)), Stack.BORINGSSL, set()),
        (Client("x", versions=(0x0303,)), Stack.BORINGSSL, {"small-hello"}),
    ],
)
def test_only_a_post_quantum_share_makes_a_hello_of_two_segments(
    client: Client, stack: Stack, size: set[str]
) -> None:
    plan = replace(PLAN, clients=(client,), stack=stack)

    assert facts_of_the_plan(plan) & {"small-hello", "large-hello"} == size
    assert facts_of_the_place({"client": "x"}, plan) & {"small-hello", "large-hello"} == size


@pytest.mark.parametrize(
    ("first", "facts", "protocol"),
    [
        ("220 mx.example ESMTP Exim", {"clear-greeting"}, "smtp"),
        ("220 mx.example Dovecot LMTP ready", {"clear-greeting"}, "lmtp"),
        ("220 (vsFTPd 3.0.3)", {"clear-greeting"}, "ftp"),
        ("200 news.example InterNetNews", {"clear-greeting"}, "nntp"),
        ("* OK [CAPABILITY IMAP4rev1] Dovecot ready.", {"clear-greeting"}, "imap"),
        ("+OK POP3 ready", {"clear-greeting"}, "pop3"),
        ('"IMPLEMENTATION" "Dovecot Pigeonhole"', {"clear-greeting"}, "sieve"),
        ("<stream:stream xmlns", {"clear-greeting"}, "xmpp"),
        (r"Y\x00\x00\x00\n5.5.5-10.11.19-MariaDB", {"clear-greeting"}, "mysql"),
        ("HTTP/1.0 400 Bad Request", {"http-answer"}, None),
        ("<html><head>", {"http-answer"}, None),
        ("SSH-2.0-OpenSSH_9.2", {"other-protocol"}, None),
        (r"\x00\x00\x00", set(), None),
    ],
)
def test_what_does_not_speak_tls_is_known_by_its_first_words(
    first: str, facts: set[str], protocol: str | None
) -> None:
    row = attempt(1, due_ns=0, outcome="not-tls", detail=f"first bytes '{first}\\r\\n'")
    found = facts_of_the_answers([row, row])

    assert found.pop("starttls", None) == protocol
    assert set(found) == facts | {"first-bytes"}
    assert set(found.values()) == {f'"{first}"'}


def test_the_words_of_a_server_that_refuses_starttls_are_kept() -> None:
    for detail in ("the server said '454 no'", "the server does not offer it; it said '454 no'"):
        row = attempt(1, due_ns=0, outcome="starttls-refused", detail=detail)

        assert facts_of_the_answers([row]) == {"server-said": '"454 no"'}


@pytest.mark.parametrize(
    ("details", "facts"),
    [
        (
            ["the staple expired 2026-11-02T00:00:00Z", "the staple expired 2026-11-01T00:00:00Z"],
            {"staple-out-of-date": "2026-11-01T00:00:00Z"},
        ),
        (["the staple is for another certificate"] * 2, {"staple-of-another": ""}),
        (
            ["the staple expired 2026-11-02T00:00:00Z", "the staple is for another certificate"],
            {"staple-out-of-date": "2026-11-02T00:00:00Z", "staple-of-another": ""},
        ),
        (["the staple cannot be read (ValueError)"], {}),
        ([None], {}),
        ([], {}),
    ],
)
def test_an_old_staple_is_told_from_one_of_another_certificate(
    details: list[str | None], facts: dict[str, str]
) -> None:
    rows = [attempt(1, due_ns=0, outcome="bad-staple", detail=one) for one in details]

    assert facts_of_the_staples(rows) == facts


def test_answers_that_are_not_all_quoted_prove_nothing() -> None:
    rows: list[Record] = [attempt(1, due_ns=0, outcome="not-tls", detail=None)]

    assert facts_of_the_answers(rows) == {}
    assert facts_of_the_answers([]) == {}


def test_a_ca_made_again_is_told_from_one_that_is_not_known() -> None:
    twin = same_name_other_key()[1]
    unknown = issue(Wanted(), issuer=A.rogue_intermediate)

    again = facts_of_the_chain(seen(good()[0]), None, [twin])
    other = facts_of_the_chain(seen(unknown.der, A.rogue_intermediate.der), None, [A.root.der])
    right = facts_of_the_chain(seen(*good()), None, [A.root.der])

    assert "same-name-other-key" in again
    assert "same-name-other-key" not in other | right


def test_names_are_compared_with_the_usual_leaf() -> None:
    usual = seen(leaf(dns=("a.test", "b.test")).der)
    drifted = facts_of_the_chain(seen(leaf(dns=("b.test",)).der), replace(usual, sha256=b"u"), [])

    assert {"usual-differs", "same-issuer-as-usual", "shares-a-name", "leaf-only"} <= drifted


def test_a_challenge_certificate_is_known_by_its_extension() -> None:
    identifier = x509.UnrecognizedExtension(x509.ObjectIdentifier(ACME_IDENTIFIER), b"\x04\x00")
    challenge = issue(Wanted(critical_extra=(identifier,)))
    named = issue(Wanted(common_name="Acme Co Fake Certificate"))

    assert "acme-extension" in facts_of_the_chain(seen(challenge.der), None, [])
    assert "acme-extension" not in facts_of_the_chain(seen(named.der), None, [])
    ids = [fit.id for fit in likely(Signs("self-signed", ["chain"], "constant", subject="Acme Co"))]
    assert "acme-challenge-certificate" not in ids


def test_replicas_have_a_ca_each_when_their_roots_differ_in_name_or_key() -> None:
    one, same = seen(*self_signed()), seen(*self_signed())
    two = seen(issue(Wanted(), issuer=A.rogue_root).der)

    assert facts_of_the_roots([one, same]) == {"one-bad-root"}
    assert facts_of_the_roots([one, two]) == {"several-bad-roots"}
    assert facts_of_the_roots([]) == set()
    signs = Signs("untrusted-root", ["chain"], "constant", facts={"several-bad-roots", "leaf-only"})
    assert likely(signs)[0].id == "separate-ca-per-replica"


def test_families_that_accept_are_evidence() -> None:
    views = {"go": ClientView("yes", ""), "chrome": ClientView("no", "")}

    assert facts_of_the_clients(views) == {"some-families-accept", "strict-clients-only"}
