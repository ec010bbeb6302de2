import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.yardstick import stretched


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


@pytest.mark.parametrize("words", [["  "], ["-"]])
def test_an_empty_paste_is_told(words: list[str], spawn: Any) -> None:
    process = spawn("explain", *words, stdin=subprocess.PIPE)
    out, err = process.communicate("\n \n", timeout=30)

    assert process.returncode == 2
    assert out == ""
    assert "the text is empty" in err


@pytest.mark.parametrize("name", ["logs/today", "console.json", "/no/such/place/app.out"])
def test_a_file_that_is_missing_is_said_to_be_missing(name: str, ask: Any) -> None:
    answer = ask("explain", name)

    assert answer.code == 2
    assert f"cannot read {name}: no such file" in answer.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--9807"], "-9807"),
        (["-k"], "-k is not a known code"),
        (["-n", "5"], "-n 5 is not a known code"),
        (["--", "-9807"], "errSSLXCertChainInvalid"),
        (["--verify-code", "20"], "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
    ],
)
def test_a_code_may_look_like_an_option(words: list[str], told: str, ask: Any) -> None:
    answer = ask("explain", *words)

    assert answer.code in {0, 2}
    assert told in answer.out
    assert "Traceback" not in answer.err


def test_a_compressed_log_is_read(ask: Any, tmp_path: Path) -> None:
    log = tmp_path / "error.log.2.gz"
    log.write_bytes(gzip.compress(b"net::ERR_CERT_DATE_INVALID\n"))

    assert "ERR_CERT_DATE_INVALID (-201)" in ask("explain", log).out


def test_a_damaged_archive_is_told(ask: Any, tmp_path: Path) -> None:
    log = tmp_path / "error.log.gz"
    log.write_bytes(gzip.compress(b"net::ERR_CERT_DATE_INVALID\n" * 100)[:40])

    answer = ask("explain", log)

    assert answer.code == 2
    assert "cannot read" in answer.err


def test_a_log_says_how_much_of_it_is_not_understood(ask: Any, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("starting\n\n[3:-9807]\n[3:-9807]\nstopping\n")

    answer = ask("explain", log)

    assert "Not understood: 2 of 4 lines. The first, line 1: starting\n" in answer.out


MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no rusage")
@pytest.mark.parametrize(
    "line", ["GET /items/{0} took {0} ms, ok", "worker {0}: SSL alert number 42, client {0}:443"]
)
def test_a_log_of_50_mb_is_read_whole_in_seconds_and_200_mb(line: str, tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    with log.open("w") as file:
        file.write("first: net::ERR_CERT_DATE_INVALID\n")
        for start in range(0, 1_600_000, 1000):
            file.write("\n".join(line.format(n) for n in range(start, start + 1000)) + "\n")

    # From a small process: at first a program is as large as the one that starts it.
    explain = [sys.executable, "-m", "stress", "explain", str(log)]
    words = [sys.executable, "-c", MEASURED, *explain]
    process = subprocess.run(words, capture_output=True, text=True, check=False)
    seconds, kilobytes = process.stderr.splitlines()[-1].split()

    assert log.stat().st_size > 50_000_000
    assert process.returncode == 0
    assert "ERR_CERT_DATE_INVALID" in process.stdout
    assert float(seconds) < stretched(8)  # 5 s is the aim
    assert int(kilobytes) * (1 if sys.platform == "darwin" else 1024) < 200_000_000
