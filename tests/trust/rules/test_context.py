from __future__ import annotations

from stress.trust.path import Link, Path
from stress.trust.policy import find_policy
from stress.trust.reading.certificate import describe
from stress.trust.rules.context import Context
from tests.trust.certificates import AT, HOST, authorities
from tests.trust.defects import good


def test_the_anchor_is_an_issuer_but_not_below_itself() -> None:
    links = tuple(Link(describe(der), at) for at, der in enumerate(good()))
    anchor = Link(describe(authorities().root.der), None)

    anchored = Context(
        find_policy("go"), Path((*links, anchor)), anchored=True, public=False, host=HOST, at=AT
    )
    open_ended = Context(
        find_policy("go"), Path(links), anchored=False, public=False, host=HOST, at=AT
    )

    assert anchored.leaf.common_name == HOST
    assert anchored.issuers == (links[1], anchor)
    assert anchored.below_anchor == links
    assert open_ended.below_anchor == links
