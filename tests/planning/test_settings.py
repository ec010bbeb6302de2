from __future__ import annotations

from dataclasses import fields

import pytest

from stress.errors import UsageError
from stress.planning.request import Request
from stress.planning.settings import SETTINGS

ONLY_ON_THE_COMMAND_LINE = {"targets", "profile", "authorized"}


def test_every_option_is_a_key_and_fills_a_field_of_its_own() -> None:
    filled = [setting.field for setting in SETTINGS.values()]

    assert len(set(filled)) == len(filled)
    assert set(filled) == {field.name for field in fields(Request)} - ONLY_ON_THE_COMMAND_LINE


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("count", "20k", "lots"),
        ("duration", "30s", "soon"),
        ("concurrency", "64", "0"),
        ("rate", "30/m", "0"),
        ("processes", "2", "0"),
        ("detect", "0.1%", "0"),
        ("segments", "200/s to 1000/s for 30s", "200/s"),
        ("segments", "200/s for 30s", "none for 30s"),
        ("arrivals", "constant", "bursty"),
        ("warm-up", "10s", "soon"),
        ("hold", "60s", "long"),
        ("seed", "0", "-1"),
        ("client", "generic=2", "generic=0"),
        ("sni", "none", "192.0.2.1"),
        ("stack", "openssl", "gnutls"),
        ("address", "192.0.2.1:9=a", "node-1"),
        ("source", "127.0.0.1", "192.0.2.1"),
        ("resolver", "192.0.2.53", "dns.example"),
        ("proxy-protocol", "v2", "v3"),
        ("timeout", "1s", "0"),
        ("connect-timeout", "1s", "0"),
        ("hello-timeout", "1s", "0"),
        ("handshake-timeout", "1s", "0"),
        ("after-handshake", "0", "x"),
        ("close", "fin", "never"),
        ("evidence-per-signature", "0", "-1"),
        ("evidence-bytes", "50MB", "much"),
        ("policy", "none", "appel"),
        ("at", "+30d", "tomorrow"),
        ("pin", "sha256//" + "A" * 43 + "=", "sha256//A"),
    ],
)
def test_a_key_is_checked_as_its_option_is(key: str, good: str, bad: str) -> None:
    check = SETTINGS[key].check
    check(good)

    with pytest.raises(UsageError):
        check(bad)
