"""The defects by name: each module of defects registers its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.oracles.corpus import Draft

Spoil = Callable[["Draft"], None]
DEFECTS: dict[str, Spoil] = {}


def defect(spoil: Spoil) -> Spoil:
    """Registers a defect under the name of its function."""
    DEFECTS[spoil.__name__.replace("_", "-")] = spoil
    return spoil
