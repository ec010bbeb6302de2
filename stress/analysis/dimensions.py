"""How the values of attributes read in each dimension of causes.

"Not reached" is never a value, else every failure would be explained by not having come further.

Imported late: it needs numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from stress.analysis.causes.table import Reading, Text
from stress.analysis.chains import issuer, leaf_names, short, subject
from stress.codes.names import NAMES
from stress.model.attributes import SHARED, Attribute, Dimension, Form
from stress.model.plan import Address
from stress.model.run import RunFacts, SeenChain
from stress.text.escape import printable

__all__ = ["Dimension", "leaf_text", "readings"]

_T = TypeVar("_T")


def readings(
    facts: RunFacts, addresses: Sequence[Address], chains: Mapping[int, SeenChain]
) -> list[Reading]:
    """For each dimension the attribute that it is made of, and how a value of that reads.

    A dimension that is not here (`rate`) depends on more than the value of one attribute. A vantage
    is a machine where the runs of several were merged, else one of our own addresses (`--source`).
    """

    def of(things: Mapping[int, _T], text: Callable[[_T], str | None]) -> Text:
        # A damaged file may name a thing that is not there.
        def read(number: Any) -> str | None:
            return text(things[number]) if number in things else None

        return read

    plan, vantages = facts.plan, dict(enumerate(facts.vantages))
    name, at = plan.server_name or "none", dict(enumerate(addresses))
    clients, sources = dict(enumerate(plan.clients)), dict(enumerate(plan.sources))
    own: dict[Dimension, Text] = {
        Dimension.ADDRESS: lambda index: of(at, str)(index) or f"#{index}",
        Dimension.LABEL: of(at, lambda address: address.label),
        Dimension.FAMILY: of(at, lambda address: address.family),
        Dimension.CLIENT: of(clients, lambda client: client.name),
        Dimension.SNI: of(clients, lambda client: name if client.server_name else "none"),
        Dimension.VANTAGE: of(vantages, lambda vantage: printable(vantage.name))
        if vantages
        else of(sources, str),
        Dimension.CHAIN: of(chains, short),
        Dimension.LEAF: of(chains, leaf_text),
        Dimension.ISSUER: of(chains, issuer),
    }
    other = "source" if vantages else "vantage"
    return [
        Reading(dimension, attribute.name, own.get(dimension) or _text(attribute))
        for attribute in SHARED
        for dimension in attribute.dimensions
        if dimension is not Dimension.RATE and attribute.name != other
    ]


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
