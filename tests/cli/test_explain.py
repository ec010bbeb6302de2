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
    assert "Find out:" in answer.out
    assert answer.err == ""


def test_what_is_unknown_says_so_and_exits_2(ask: Any) -> None:
    answer = ask("explain", "-9999")

    assert answer.code == 2
    assert "Near it" in answer.out


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
