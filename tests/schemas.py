"""Checks a value by a JSON Schema: the few keywords that the schemas of our TOML files use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from math import inf
from typing import Any


def fits(value: object, schema: Mapping[str, Any]) -> bool:  # noqa: PLR0911 - one for each kind
    """Whether a value fits a JSON Schema, as far as those of our files go."""
    types: dict[str, tuple[type, ...]] = {
        "string": (str, date),  # as editors show a TOML date
        "number": (int, float),
        "integer": (int,),
        "boolean": (bool,),
        "array": (list,),
        "object": (dict,),
    }
    if "anyOf" in schema:
        return any(fits(value, each) for each in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    allowed = tuple(kind for name in names for kind in types[name])
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        return False
    if isinstance(value, int | float):
        return bool(schema.get("minimum", -inf) <= value <= schema.get("maximum", inf))
    if isinstance(value, str):
        return bool(re.search(schema.get("pattern", ""), value))
    if isinstance(value, list):
        return all(fits(each, schema["items"]) for each in value)
    if isinstance(value, dict):
        known = schema["properties"]
        return (
            set(schema.get("required", ())) <= set(value)
            and set(value) <= set(known)
            and all(fits(each, known[key]) for key, each in value.items())
        )
    return True
