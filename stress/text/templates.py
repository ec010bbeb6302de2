"""Reads texts that lie beside the modules of other rooms, and fills templates.

Each text that a template inserts first goes through one function, which makes it harmless in that
kind of document; only what a filter of the caller's or `markup` returned is inserted as it is. A
name that the template knows and the caller did not give is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any

from stress.text import numbers
from stress.text.escape import shell_line

if TYPE_CHECKING:
    from jinja2 import Template


def read_part(package: str, name: str) -> str:
    """Return the text of a file that is shipped in a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


@cache
def read_texts(package: str, name: str) -> dict[str, dict[str, str]]:
    """Return the tables of a TOML file of texts that is shipped in a package."""
    return tomllib.loads(read_part(package, name))


@cache
def template(
    package: str, name: str, shown: Callable[[str], str], **filters: Callable[..., str]
) -> Template:
    """Return a template, ready to `render`.

    Args:
        package: the package in which it lies.
        name: its file.
        shown: makes a text harmless in this kind of document.
        filters: further filters by their names, which make their texts harmless themselves.
    """
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - heavy, and only needed here

    environment = Environment(
        autoescape=True,  # macros and filters then return markup, which is inserted as it is
        undefined=StrictUndefined,
        finalize=lambda value: markup(shown(value)) if type(value) is str else value,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clock": numbers.clock,
        "count": numbers.thousands,
        "interval": numbers.interval,
        "milliseconds": numbers.milliseconds,
        "offered": numbers.offered,
        "percent": lambda share: "-" if share is None else numbers.percent(share),
        "plural": numbers.counted,
        "rate": numbers.rate,
        "seconds": numbers.seconds,
        "shell": shell_line,
        **{
            name: partial(lambda shown, *values: markup(shown(*values)), each)
            for name, each in filters.items()
        },
    }
    return environment.from_string(read_part(package, name))


def markup(text: str) -> Any:
    """Return a text that a template inserts as it is."""
    from markupsafe import Markup  # noqa: PLC0415 - with the template engine

    return Markup(text)  # noqa: S704 - for what our own functions made harmless
