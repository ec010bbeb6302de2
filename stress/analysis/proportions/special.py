"""The functions of `scipy.special` that are used here, imported in half of the time.

SciPy asks NumPy for each of its modules, and by that imports them all: tests, Fortran wrappers,
masked arrays. That is a fifth of a small report's processor time, for what neither uses. So these
modules are made lazy first, in the way of the standard library (`importlib.util.LazyLoader`):
whoever does use one gets it then.
"""

from __future__ import annotations

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec

import numpy as np

_SELDOM = ("ctypeslib", "f2py", "ma", "matlib", "polynomial", "random", "testing")


def _defer(name: str) -> None:
    """Import a module of NumPy when something in it is first used."""
    full = f"{np.__name__}.{name}"
    spec = None if full in sys.modules else find_spec(full)
    if spec is not None and spec.loader is not None:
        spec.loader = LazyLoader(spec.loader)
        module = sys.modules[full] = module_from_spec(spec)
        spec.loader.exec_module(module)
        setattr(np, name, module)


for _name in _SELDOM:
    _defer(_name)

from scipy.special import (  # noqa: E402 - after the deferring
    bdtrc,
    betainc,
    betaincc,
    betaincinv,
    betaln,
    gammaincinv,
    gammaln,
    ndtri,
    pdtrc,
    xlog1py,
    xlogy,
)

__all__ = [
    "bdtrc",
    "betainc",
    "betaincc",
    "betaincinv",
    "betaln",
    "gammaincinv",
    "gammaln",
    "ndtri",
    "pdtrc",
    "xlog1py",
    "xlogy",
]
