from __future__ import annotations

from typing import Any


def test_the_command_and_both_options_print_the_same_line(ask: Any) -> None:
    answer = ask("version")

    assert answer.code == 0
    assert answer.out.startswith("tls-stress ")
    assert answer == ask("--version") == ask("-V")
