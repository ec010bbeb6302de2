"""How the values of attributes read in each dimension of causes.

"Not reached" is never a value, else every failure would be explained by not having come further.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from stress.analysis.chains import issuer, leaf_names, short, subject
from stress.handshake.names import NAMES
from stress.model.attributes import SHARED, Attribute, Dimension, Form
from stress.model.plan import Address, Plan
from stress.model.run import SeenChain
from stress.text.escape import printable

__all__ = ["Dimension", "leaf_text", "texts"]

Text: TypeAlias = Callable[[Hashable], str | None]
"""What people read for a value of an attribute; None for "not reached"."""

_T = TypeVar("_T")


def texts(
    plan: Plan, addresses: Sequence[Address], chains: Mapping[int, SeenChain]
) -> Mapping[Dimension, tuple[str, Text]]:
    """For each dimension the attribute that it is made of, and how a value of that reads.

    A dimension that is not here (`rate`) depends on more than the value of one attribute.
    """

    def indexed(things: Sequence[_T], text: Callable[[_T], str | None]) -> Text:
        # A damaged file may name a thing that is not there.
        def read(index: Any) -> str | None:
            return text(things[index]) if 0 <= index < len(things) else None

        return read

    def of_chain(text: Callable[[SeenChain], str]) -> Text:
        def read(number: Any) -> str | None:
            return text(chains[number]) if number in chains else None

        return read

    name = plan.server_name or "none"
    own: dict[Dimension, Text] = {
        Dimension.ADDRESS: lambda index: indexed(addresses, str)(index) or f"#{index}",
        Dimension.LABEL: indexed(addresses, lambda address: address.label),
        Dimension.FAMILY: indexed(addresses, lambda address: address.family),
        Dimension.CLIENT: indexed(plan.clients, lambda client: client.name),
        Dimension.SNI: indexed(plan.clients, lambda c: name if c.server_name else "none"),
        Dimension.VANTAGE: indexed(plan.sources, str),
        Dimension.CHAIN: of_chain(short),
        Dimension.LEAF: of_chain(leaf_text),
        Dimension.ISSUER: of_chain(issuer),
    }
    return {
        dimension: (attribute.name, own.get(dimension) or _text(attribute))
        for attribute in SHARED
        for dimension in attribute.dimensions
        if dimension is not Dimension.RATE
    }


def leaf_text(chain: SeenChain) -> str:
    """The leaf by name and serial; two leaves of one name differ."""
    if not chain.certificates:
        return "no certificate"
    return f"{subject(chain)} (serial {leaf_names(chain.certificates[0]).serial[:16]})"


def _text(attribute: Attribute) -> Text:
    """How the values of an attribute read when it is a dimension by itself."""
    if attribute.form is Form.NAMED:
        name: Any = NAMES[attribute.name]
        return name  # type: ignore[no-any-return]  # it takes the numbers of this attribute
    if attribute.form is Form.FLAG:
        return lambda flag: "yes" if flag is True else "no"
    return lambda value: printable(str(value))
