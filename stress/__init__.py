"""tls-stress: open thousands of TLS handshakes and isolate the rare failing fraction.

The public names are those in `__all__`; `docs/reference/python.md` describes them. They are loaded
when they are first used, so that `import stress` costs nothing (PEP 562); for type checkers they
stand in `__init__.pyi`.
"""

__version__ = "0.1.0"
__all__ = [
    "Plan",
    "RecordError",
    "RecordedRun",
    "RunFileError",
    "StressError",
    "UsageError",
    "isolate",
    "judge",
    "open",
    "run",
    "run_async",
]


# Nothing is imported on the way: with `python -m` the folder of a stranger may come first.
def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'stress' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - `import stress` costs nothing

    module = import_module("stress.errors" if name.endswith("Error") else "stress.api")
    value = getattr(module, "open_" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> "list[str]":
    """The public names, also before they are loaded."""
    return sorted({*globals(), *__all__})
