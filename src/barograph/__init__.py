"""Barograph records markets without a break and says when the storm comes.

For notebooks and programs, `import barograph as bg`: ticks of recordings and frames, their
features, labels, honest splits, and what a home holds. Each name is imported on first use. What is
not in `__all__`, or in `barograph.cases`, is private and may change.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from barograph.library.frames import Features, features
    from barograph.library.labels import label
    from barograph.library.reading import read_ticks
    from barograph.library.splitters import LeaveSessionOut, PurgedWalkForward
    from barograph.library.ticks import Ticks

__version__ = "0.1.0"

_HOMES = {
    "Features": "frames",
    "LeaveSessionOut": "splitters",
    "PurgedWalkForward": "splitters",
    "Ticks": "ticks",
    "features": "frames",
    "label": "labels",
    "read_ticks": "reading",
}
"""Public name → the module of `barograph.library` that has it."""

__all__ = [
    "Features",
    "LeaveSessionOut",
    "PurgedWalkForward",
    "Ticks",
    "features",
    "label",
    "read_ticks",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - a name costs nothing before it is used

    value = getattr(import_module(f"{__name__}.library.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
