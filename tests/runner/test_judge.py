from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.runner.judge import MOST_BYTES, judge_chain, parse_certificates, read_certificates


class Unread:
    """Certificates that nobody may ask for."""

    def __iter__(self) -> Iterator[bytes]:
        pytest.fail("read before the options were checked")


@pytest.mark.parametrize("wrong", [{"policy": "none"}, {"policy": "safari"}, {"at": "later"}])
def test_options_are_checked_before_a_file_is_read(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        judge_chain(Unread(), "edge.test", **wrong)


def test_what_is_no_chain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="larger than 4 MB"):
        parse_certificates(b"0" * (MOST_BYTES + 1), "the chain")
    with pytest.raises(UsageError, match="cannot read nothing"):
        read_certificates(tmp_path / "nothing.pem", "nothing.pem")
