"""ManageSieve: what servers answer that do not go on to TLS."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import ending

HELLO = b'"IMPLEMENTATION" "x"\r\n"STARTTLS"\r\nOK\r\n'


@pytest.mark.parametrize(
    ("says", "category", "words"),
    [
        ([b'BYE "full"\r\n'], "starttls-refused", 'BYE "full"'),
        ([b'"IMPLEMENTATION" "x"\r\nOK\r\n'], "starttls-not-offered", "not offer"),
        ([HELLO, b'NO "no key"\r\n'], "starttls-refused", 'NO "no key"'),
        ([HELLO, b"OK {5}\r\nbegin\r\n"], "ok", ""),
    ],
)
def test_what_servers_answer(says: list[bytes], category: str, words: str) -> None:
    got, detail = ending(StartTls.SIEVE, *says)

    assert got == category
    assert words in detail
