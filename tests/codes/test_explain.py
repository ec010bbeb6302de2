from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.codes.catalog import FAMILIES, alerts, client_views, code_tables
from stress.codes.explain import explain
from stress.codes.recognise import named_codes, recognise
from stress.model.outcome import Category, Kind, Outcome

SEED = (Path(__file__).parent / "data" / "ios11.log").read_text(encoding="utf-8")

MESSAGES = tomllib.loads(
    (Path(__file__).parent / "data" / "messages.toml").read_text(encoding="utf-8")
)


def names(text: str) -> list[str]:
    return [one.name for one in explain(text).found]


@pytest.mark.parametrize(
    ("text", "name", "category"),
    [
        ("-9807", "errSSLXCertChainInvalid (-9807)", "incomplete-chain"),
        ("9807", "errSSLXCertChainInvalid (-9807)", "expired-leaf"),
        ("-1202", "NSURLErrorServerCertificateUntrusted (-1202)", "hostname-mismatch"),
        ("3:-9802", "errSSLFatalAlert (-9802)", "untrusted-root"),
        ("3:0", "TIC SSL Trust Error", "self-signed"),
        ("TIC SSL Trust Error [25:0x1c0176d40]: 3:0", "TIC SSL Trust Error", "incomplete-chain"),
        ("error(3:-9807)", "errSSLXCertChainInvalid (-9807)", "incomplete-chain"),
        ("It fails with -9807.", "errSSLXCertChainInvalid (-9807)", "incomplete-chain"),
        ("error \u22129807", "errSSLXCertChainInvalid (-9807)", "incomplete-chain"),
        ("9807.", "errSSLXCertChainInvalid (-9807)", "incomplete-chain"),
        ("incomplete-chain", "incomplete-chain", "incomplete-chain"),
        ("reset", "reset", "reset"),
        ("EOF", "eof", "eof"),
        ("ERR_CERT_DATE_INVALID", "ERR_CERT_DATE_INVALID (-201)", "expired-leaf"),
        ("net::ERR_CERT_DATE_INVALID", "ERR_CERT_DATE_INVALID (-201)", "not-yet-valid"),
        ("net_error -201", "ERR_CERT_DATE_INVALID (-201)", "expired-leaf"),
        (
            "X509_V_ERR 20",
            "X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY (20)",
            "incomplete-chain",
        ),
        ("verify error:num=10:certificate", "X509_V_ERR_CERT_HAS_EXPIRED (10)", "expired-leaf"),
        ("Verify return code: 18 (", "X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT (18)", "self-signed"),
        ("error 26 at 0 depth lookup", "X509_V_ERR_INVALID_PURPOSE (26)", "wrong-eku"),
        ("X509_V_ERR_INVALID_CA", "X509_V_ERR_INVALID_CA (79)", "issuer-not-ca"),
        ("alert 112", "unrecognized_name (112)", "alert-112"),
        ("alert-40", "handshake_failure (40)", "no-shared-cipher"),
        ("Received alert [40]: Handshake failed", "handshake_failure (40)", "alert-40"),
        ("SSL alert number 70", "protocol_version (70)", "no-shared-version"),
        ("Received fatal alert: internal_error", "internal_error (80)", "alert-80"),
        ("remote error: tls: unrecognized name", "unrecognized_name (112)", "alert-112"),
        ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE]", "handshake_failure (40)", "alert-40"),
        ("routines::sslv3 alert handshake failure", "handshake_failure (40)", "alert-40"),
        ("routines::tlsv1 unrecognized name", "unrecognized_name (112)", "alert-112"),
        ("error:0A000458:SSL routines::reason(1112)", "unrecognized_name (112)", "alert-112"),
        ("error:14094418:SSL routines:f:reason", "unknown_ca (48)", "alert-48"),
        ("SSL_ERROR_UNKNOWN_CA_ALERT", "unknown_ca (48)", "alert-48"),
        ("SEC_ERROR_UNKNOWN_ISSUER", "SEC_ERROR_UNKNOWN_ISSUER", "untrusted-root"),
        ("curl 60", "PEER_FAILED_VERIFICATION (60)", "expired-leaf"),
        ("curl: (35) OpenSSL", "SSL_CONNECT_ERROR (35)", "reset"),
        ("OpenSSL::SSL::SSLError: SSL_connect", "OpenSSL::SSL::SSLError", "reset"),
        (
            "failed for a.test[192.0.2.1]:25: untrusted issuer /CN=Y",
            "untrusted issuer",
            "untrusted-root",
        ),
        ("conn=1007 fd=15 closed (TLS negotiation failure)", "TLS negotiation failure", "eof"),
        ("TLS Error: TLS handshake failed", "TLS Error: TLS handshake failed", "timeout-handshake"),
        (
            "error = -188, ASN no signer error to confirm failure",
            "ASN no signer error to confirm failure",
            "incomplete-chain",
        ),
        (
            "ASN date error, current date before",
            "ASN date error, current date before",
            "not-yet-valid",
        ),
        ("err -322 peer subject name mismatch", "peer subject name mismatch", "hostname-mismatch"),
        ("OSStatus -67843", "errSecNotTrusted (-67843)", "untrusted-root"),
        ("kCFURLErrorSecureConnectionFailed", "NSURLErrorSecureConnectionFailed (-1200)", "eof"),
        (
            "CertPathValidatorException: Trust anchor for certification path not found.",
            "Trust anchor for certification path not found",
            "incomplete-chain",
        ),
        (
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            "incomplete-chain",
        ),
        (
            "x509: certificate relies on legacy Common Name field, use SANs instead",
            "certificate relies on legacy Common Name field",
            "no-san",
        ),
    ],
)
def test_one_code_is_recognised(text: str, name: str, category: str) -> None:
    answer = explain(text)

    assert name in [one.name for one in answer.found]
    assert category in answer.categories
    assert answer.unknown == ()
    assert all(one.meaning.endswith(".") for one in answer.found)


@pytest.mark.parametrize("category", MESSAGES)
def test_what_real_clients_said_leads_to_what_made_them_say_it(category: str) -> None:
    for message in MESSAGES[category]["messages"]:
        assert category in explain(message).categories, message


ENDINGS = [one.value for one in Category if one is not Category.ALERT]
ENDINGS += [f"alert-{number}" for number in range(256)]


@pytest.mark.parametrize("family", FAMILIES)
def test_whatever_a_report_says_that_a_client_shows_is_recognised(family: str) -> None:
    """All of it, and as it is shortened in a list of causes, too."""
    for ending in ENDINGS:
        view = client_views(ending).get(family)
        if view is None or view.fails == "no":
            continue
        for shown in (view.reports, view.reports.split(";")[0].split(" (")[0]):
            answer = explain(shown)

            assert answer.found, (ending, shown)
            assert answer.unknown == (), (ending, shown)
            assert ending in answer.categories or ending.startswith("alert-"), (ending, shown)


def test_alerts_that_have_a_name_are_recognised_by_what_each_client_shows() -> None:
    for number, alert in alerts().items():
        for family in ("go", "java-17", "android-okhttp"):
            shown = client_views(f"alert-{number}")[family].reports

            assert alert.name in explain(shown).found[-1].name or number == 0, shown


def test_the_seed_log_gets_an_answer_that_can_be_acted_on() -> None:
    answer = explain(SEED)

    assert [one.name for one in answer.found] == [
        "TIC SSL Trust Error",
        "errSSLXCertChainInvalid (-9807)",
        "NSURLErrorServerCertificateUntrusted (-1202)",
        "The certificate for this server is invalid",
    ]
    assert answer.command == "tls-stress run api.shop.example"
    assert "different connections reach different servers" in answer.conclusion
    assert any(
        "iOS 11 and older give -9807 for every trust failure" in one for one in answer.leaves_open
    )
    assert {"incomplete-chain", "expired-leaf", "hostname-mismatch"} <= set(answer.categories)
    assert {Outcome.parse(one).kind for one in answer.categories} == {Kind.TRUST}


def test_what_a_log_says_together_narrows_the_outcomes() -> None:
    answer = explain(
        "curl: (60) SSL certificate problem: unable to get local issuer certificate\n"
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
    )

    assert answer.categories == ("incomplete-chain", "wrong-intermediate")


def test_a_failure_of_the_connection_is_not_called_one_of_trust() -> None:
    answer = explain("curl: (35) Recv failure: Connection reset by peer")

    assert answer.categories == ("reset",)
    assert "before certificates were judged" in answer.conclusion


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("-9870", "-9865"),
        ("-98070", "-9807"),
        ("-12002", "-1202"),
        ("-9808.5", ""),
        ("ERR_CERT_DATE_INVALD", "ERR_CERT_DATE_INVALID"),
        ("incomplet-chain", "incomplete-chain"),
        ("expired_leaf", "expired-leaf"),
        ("hello world", ""),
    ],
)
def test_an_unknown_code_says_so_and_offers_the_nearest(text: str, nearest: str) -> None:
    answer = explain(text)

    assert answer.found == ()
    assert answer.unknown[0].text == text
    assert (nearest in answer.unknown[0].nearest) == bool(nearest)
    assert answer.conclusion == "This text contains no known code."
    assert answer.command == "tls-stress run HOST"


def test_unknown_codes_in_a_log_are_reported_with_the_known_ones() -> None:
    answer = explain("a: -9807\nb: net::ERR_CERT_STRANGE_THING\nc: 3:0 -9899")

    assert [one.text for one in answer.unknown] == ["ERR_CERT_STRANGE_THING", "-9899"]
    assert "-9890" in answer.unknown[1].nearest


def test_a_code_at_the_end_of_a_line_and_its_name_on_the_next_are_one() -> None:
    answer = explain("It fails with -9813\n\nerrSSLNoRootCert\n. Why?")

    assert [one.name for one in answer.found] == ["errSSLNoRootCert (-9813)"]
    assert answer.unknown == ()


def test_what_says_more_decides_over_what_says_only_that_it_failed() -> None:
    assert explain("curl: (60) SSL certificate problem").categories[0] == "incomplete-chain"
    assert explain("curl: (35) SEC_E_UNTRUSTED_ROOT").categories == explain("0x80090325").categories
    assert explain("curl: (35) CRYPT_E_REVOCATION_OFFLINE").categories == ()
    assert "says nothing about the server" in explain("CRYPT_E_REVOCATION_OFFLINE").conclusion


def test_an_alert_is_told_from_the_side_of_whoever_wrote_the_line() -> None:
    alert = "(SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48)"
    own = explain(f"SSL_do_handshake() failed {alert} while SSL handshaking, client: 192.0.2.1")
    behind = explain(
        f"SSL_do_handshake() failed {alert} while SSL handshaking to upstream, client: x"
    )

    assert "The client sent it." in own.found[-1].meaning
    assert not own.hop
    assert "incomplete-chain" in own.categories
    assert "The server itself sent it." in behind.found[-1].meaning
    assert behind.hop
    assert behind.categories == ("alert-48",)


def test_the_host_of_a_manual_is_not_the_target() -> None:
    text = "curl: (35) Recv failure: Connection reset by peer\nMore: https://curl.se/docs/sslcerts.html"

    assert explain(text).command == "tls-stress run HOST"
    assert explain(f"{text}\nhttps://a.example").command == "tls-stress run a.example"


def test_numbers_of_a_log_that_are_no_codes_are_left_alone() -> None:
    quiet = "2026-11-23 10:00:00-0500 pid=60 port 9807 took 112 ms, x-1202, 1.2.3.4:1200, v-9807.1"

    assert names(quiet) == []


def test_the_port_of_the_log_is_kept_and_nothing_else_gets_into_the_command() -> None:
    assert explain("-9807 https://a.example:8443/x").command == "tls-stress run a.example:8443"
    assert explain("-9807 https://a.example:443/x").command == "tls-stress run a.example"
    assert explain("-9807 https://$(rm)/x").command == "tls-stress run HOST"
    assert explain("-9807 https://a;b/x").command == "tls-stress run a"
    assert explain("pin-mismatch").command == "tls-stress run HOST --pin sha256//…"


def test_a_bare_number_is_looked_up_everywhere() -> None:
    families = {one.family for one in explain("60").found}

    assert families == {"OpenSSL verify code (X509_V_ERR)", "curl exit code", "TLS alert"}


@pytest.mark.parametrize(
    "category", [one for one in Category if one is not Category.ALERT], ids=str
)
def test_every_category_explains_itself_with_its_cure(category: Category) -> None:
    (found,) = explain(category.value).found

    assert found.name == category.value
    assert found.meaning


@pytest.mark.parametrize("family", code_tables())
def test_every_code_of_every_table_is_found_by_its_name(family: str) -> None:
    for code, one in code_tables()[family].codes.items():
        if family == "curl":
            assert one.name in names(f"curl: ({code})")[0]
        elif one.name != "X509_V_OK":
            assert any(one.name in name for name in names(f"x {one.name} y")), one.name


def test_every_alert_is_found_by_its_number() -> None:
    for number in range(256):
        (found,) = explain(f"alert {number}").found
        assert (alerts()[number].name if number in alerts() else "alert") in found.name


def test_an_alert_about_certificates_means_the_opposite_in_a_servers_log() -> None:
    (open_point,) = explain("SSL alert number 48").leaves_open

    assert "the client, which then rejected the server's certificates" in open_point
    assert explain("alert 80").leaves_open == ()


def test_hostile_text_comes_back_escaped() -> None:
    answer = explain("\x1b[2J\u202eevil")

    assert answer.unknown[0].text == "\\x1b[2J\\u202eevil"


@pytest.mark.slow
@given(st.text(max_size=200))
def test_any_text_gets_an_explanation(text: str) -> None:
    answer = explain(text)

    assert answer.conclusion
    assert answer.command.startswith("tls-stress run ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["-9807 ", "alert ", "a_", "https://a.", "error 1", "x509: ", "\n", "İ", "curl("]
)
def test_a_huge_log_is_read_in_time(piece: str) -> None:
    answer = explain(piece * (200_000 // len(piece)))

    assert len(answer.found) <= 50


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('-1202 "pretending to be “api.example.com” which"', "tls-stress run api.example.com"),
        ('-1202 pretending to be "api.example.com" and', "tls-stress run api.example.com"),
        ("-1202 pretending to be “; rm -rf /” which", "tls-stress run HOST"),
    ],
)
def test_without_a_url_the_message_itself_names_the_host(text: str, command: str) -> None:
    assert explain(text).command == command


def test_findings_come_in_the_order_of_the_text() -> None:
    found = recognise("first ERR_CERT_REVOKED, then -9807, last: Connection refused (alert 40)")

    assert [one.found.name for one in found] == [
        "ERR_CERT_REVOKED (-206)",
        "errSSLXCertChainInvalid (-9807)",
        "Connection refused",
        "handshake_failure (40)",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "verify error:num=20:unable to get local issuer certificate",
        "x509: certificate signed by unknown authority",
        "self-signed certificate in certificate chain",
    ],
)
def test_a_longer_sentence_hides_the_shorter_ones_inside_it(text: str) -> None:
    found = [one.found.text for one in recognise(text)]

    assert len(found) == len(set(found))
    assert "self-signed certificate" not in found
    assert "self-signed" not in found


def test_names_of_the_openssl_table_are_known_with_and_without_their_prefix() -> None:
    assert named_codes()["CERT_HAS_EXPIRED"][1] in {"10", "CERT_HAS_EXPIRED"}
    assert named_codes()["X509_V_ERR_CERT_HAS_EXPIRED"] == ("openssl", "10")
    assert "OK" not in named_codes()


def test_folding_that_changes_lengths_does_not_move_what_is_quoted() -> None:
    (hit,) = recognise("İİİ log: Connection refused")

    assert hit.found.text == "Connection refused"


@pytest.mark.slow
@given(st.text(alphabet="-0123456789:alert curl()_ER\n", max_size=120))
def test_any_text_like_a_log_is_read(text: str) -> None:
    assert all(hit.found.meaning and hit.found.text.isprintable() for hit in recognise(text))
