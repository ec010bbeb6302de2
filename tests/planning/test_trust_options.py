from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.model.plan import Trust
from stress.planning.request import Request
from stress.planning.trust_options import policy_name, read_pins, trust_of
from stress.trust import open_stores

Write = Callable[[str, str], Path]

NOW = 1_790_000_000
DIGEST = sha256(b"a key").digest()
PIN = f"sha256//{b64encode(DIGEST).decode()}"


def test_without_judging_no_anchors_are_needed() -> None:
    assert trust_of(Request(policy="none"), "example.com", NOW) == Trust(
        "none", "example.com", anchors_from=""
    )


def test_time_and_pins_are_read() -> None:
    trust = trust_of(Request(policy="none", at="+1d", pins=(PIN, f"{PIN};{PIN}")), "h", NOW)

    assert trust.at == NOW + 86_400
    assert trust.pins == (DIGEST,) * 3


@pytest.mark.parametrize("name", ["any", "none", "apple", "android", "OpenSSL "])
def test_a_policy_is_known_by_its_name(name: str) -> None:
    assert policy_name(name) == name.strip().lower()


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(policy="appel"), '--policy: there is no policy "appel"'),
        (Request(at="tomorrow"), '--at: "tomorrow" is not a point in time'),
        (Request(pins=("sha256//AAAA",)), "--pin: .*is not a valid pin"),
        (Request(pins=("md5//AAAA",)), "--pin: .*is not a valid pin"),
        (Request(ca="none/here.pem"), "here.pem"),
        (Request(stores="none/here.db"), "here.db"),
        (Request(ca="a.pem", stores="b.db"), "--ca and --stores exclude each other"),
    ],
)
def test_a_bad_judging_option_is_explained(request_: Request, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        trust_of(request_, "example.com", NOW)


def test_other_root_stores_are_named_in_the_plan(tmp_path: Path) -> None:
    open_stores().stand_in({}, tmp_path / "own.db")

    trust = trust_of(Request(stores=str(tmp_path / "own.db")), "h", NOW)

    assert trust.stores == str(tmp_path / "own.db")
    assert not trust.private


def test_a_ca_file_without_a_certificate_is_refused(write: Write) -> None:
    with pytest.raises(UsageError, match=r"empty\.pem"):
        trust_of(Request(ca=str(write("empty.pem", "nothing\n"))), "example.com", NOW)


def test_pins_are_read_as_curl_reads_them() -> None:
    assert read_pins(PIN) == (DIGEST,)
