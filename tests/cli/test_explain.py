import subprocess
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-9807"], "errSSLXCertChainInvalid"),
        (["-1202"], "NSURLErrorServerCertificateUntrusted"),
        (["-9807", "-1202"], "Together:"),
        (["3:-9802"], "errSSLFatalAlert"),
        (["alert", "112"], "unrecognized_name"),
        (["X509_V_ERR", "20"], "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
        (["X509_V_ERR 20"], "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
        (["ERR_CERT_DATE_INVALID"], "expired-leaf"),
        (["incomplete-chain"], "ios-urlsession:"),
        (["TIC SSL Trust Error [1:0x1]: 3:0"], "iOS 11"),
    ],
)
def test_codes_work_bare(words: list[str], told: str, ask: Any) -> None:
    answer = ask("explain", *words)

    assert answer.code == 0
    assert told in answer.out
    assert "Next step:" in answer.out
    assert answer.err == ""


def test_what_is_unknown_says_so_and_exits_2(ask: Any) -> None:
    answer = ask("explain", "-9999")

    assert answer.code == 2
    assert "Similar:" in answer.out


def test_a_file_is_read_as_a_log(ask: Any, tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(b"noise \xff\x1b[2J\nHTTP load failed (kCFStreamErrorDomainSSL, -9807)\n")

    answer = ask("explain", log)

    assert answer.code == 0
    assert "-9807" in answer.out
    assert "\x1b" not in answer.out


def test_a_log_is_read_from_standard_input(spawn: Any) -> None:
    process = spawn("explain", stdin=subprocess.PIPE)
    out, _ = process.communicate("finished with error - code: -1202\n", timeout=30)

    assert process.returncode == 0
    assert "-1202" in out


def test_nothing_to_explain_is_told(spawn: Any) -> None:
    process = spawn("explain")
    _, err = process.communicate(timeout=30)

    assert process.returncode == 2
    assert "tls-stress explain -9807" in err


def test_a_whole_log_may_be_one_argument(ask: Any) -> None:
    """As `explain "$(pbpaste)"`; it is longer than any file name may be."""
    answer = ask("explain", "noise\n" * 200 + "finished with error - code: -1202\n")

    assert answer.code == 0
    assert "-1202" in answer.out


def test_a_dash_is_standard_input(spawn: Any) -> None:
    process = spawn("explain", "-", stdin=subprocess.PIPE)
    out, _ = process.communicate("3:-9807\n", timeout=30)

    assert process.returncode == 0
    assert "-9807" in out


def test_a_log_that_windows_wrote_is_read(ask: Any, tmp_path: Path) -> None:
    log = tmp_path / "console.txt"
    log.write_text("net::ERR_CERT_DATE_INVALID", encoding="utf-16")

    assert "ERR_CERT_DATE_INVALID (-201)" in ask("explain", log).out


@pytest.mark.parametrize("name", ["missing.log", "."])
def test_a_log_that_cannot_be_read_is_told(name: str, ask: Any) -> None:
    answer = ask("explain", name)

    assert answer.code == 2
    assert f"cannot read {name}: " in answer.err


@pytest.mark.slow
def test_of_a_huge_log_the_end_counts_and_it_says_so(ask: Any, tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(b"\xff\0 -1022 nothing, just noise of a log\n" * 250_000 + b"[3:-9807]\n")

    answer = ask("explain", log)

    assert "errSSLXCertChainInvalid" in answer.out
    assert answer.err == "Only the last 8 MB of the log are read.\n"
