from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from stress.codes.explain import explain

THREADS = tomllib.loads(
    (Path(__file__).parent / "logs" / "threads.toml").read_text(encoding="utf-8")
)["snippets"]


@pytest.mark.parametrize("snippet", THREADS, ids=lambda one: one["source"])
def test_what_a_public_thread_quotes_is_understood(snippet: dict[str, Any]) -> None:
    answer = explain(snippet["text"].strip("\n"))

    assert answer.found
    assert answer.unknown == ()
    assert {*snippet.get("fits", [])} <= {*answer.categories}
    assert not {*snippet.get("never", [])} & {*answer.categories}
    if "only" in snippet:
        assert {*answer.categories} == {*snippet["only"]}
    assert snippet.get("writer", "") in " ".join(answer.written_by)
    if "host" in snippet:
        assert answer.command == f"tls-stress run {snippet['host']}"
