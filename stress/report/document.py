"""The JSON form: exactly the contract's `tls-stress/summary/1`, and the schema that describes it.

Both come from the dataclasses in `stress.model.summary`, so they cannot disagree with each other.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from stress.model.summary import SCHEMA, Summary
from stress.text.escape import escape_json


class Report(Protocol):
    """One form of the answer. A new form is a class with this method, and its line in the docs."""

    def render(self, summary: Summary) -> str:
        """The whole document, ending in a newline. Reads no clock, no file, no environment."""


class DocumentReport:
    """One JSON document, indented, safe to print to a terminal."""

    def render(self, summary: Summary) -> str:
        """The document; a share or duration that is not finite becomes null."""
        fields: dict[str, Any] = msgspec.to_builtins(summary)
        return json_document({"schema": fields.pop("schema"), **fields})


def json_document(value: Any) -> str:
    """A value as JSON, indented, safe to print to a terminal; what is not finite becomes null."""
    tree = _encodable(msgspec.to_builtins(value))
    return escape_json(msgspec.json.format(msgspec.json.encode(tree), indent=2).decode()) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    (top,), definitions = msgspec.json.schema_components([Summary], ref_template="#/$defs/{name}")
    definitions["Summary"]["properties"]["schema"] = {"const": SCHEMA}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **top,
        "$defs": definitions,
    }
    return msgspec.json.decode(msgspec.json.encode(whole), type=dict[str, Any])  # no tuples


def _encodable(value: Any) -> Any:
    """The same tree without lone surrogates, which a hostile name may hold and UTF-8 may not."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    return value
