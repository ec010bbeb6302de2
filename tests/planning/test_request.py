from __future__ import annotations

from dataclasses import fields

from stress.planning.request import Request


def test_nothing_is_asked_for_by_itself() -> None:
    request = Request()

    assert all(getattr(request, field.name) in (None, (), False) for field in fields(Request))
