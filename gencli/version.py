"""The version of the installed package."""

from __future__ import annotations


def own_version() -> str:
    """The version that pip knows; "unknown" when run from a checkout that was never installed."""
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and seldom asked for

    try:
        return version("gencli")
    except PackageNotFoundError:
        return "unknown"
