"""Barograph records markets without a break and says when the storm comes.

For notebooks and programs, `import barograph as bg`: ticks of recordings and frames, their
features, labels, honest splits, and what a home holds. Each name is imported on first use. What is
not in `__all__`, or in `barograph.cases`, is private and may change.
"""

TYPE_CHECKING = False  # as type checkers know it, without importing typing
if TYPE_CHECKING:
    from barograph.library import candidates, plot
    from barograph.library.evaluation import Evaluation, evaluate
    from barograph.library.frames import Features, features
    from barograph.library.home import Home
    from barograph.library.home import open_home as open  # noqa: A004 - as `import barograph as bg`
    from barograph.library.labels import label
    from barograph.library.models import Model
    from barograph.library.reading import read_ticks
    from barograph.library.splitters import LeaveSessionOut, PurgedWalkForward
    from barograph.library.ticks import Ticks

__version__ = "0.1.0"

_HOMES = {
    "Evaluation": "evaluation",
    "Features": "frames",
    "Home": "home",
    "LeaveSessionOut": "splitters",
    "Model": "models",
    "PurgedWalkForward": "splitters",
    "Ticks": "ticks",
    "evaluate": "evaluation",
    "features": "frames",
    "label": "labels",
    "open": "home:open_home",
    "read_ticks": "reading",
}
"""Public name → its module in `barograph.library`, and behind a colon its name there if another."""

_MODULES = ("candidates", "plot")
"""Modules of `barograph.library` that are public themselves."""

__all__ = [
    "Evaluation",
    "Features",
    "Home",
    "LeaveSessionOut",
    "Model",
    "PurgedWalkForward",
    "Ticks",
    "candidates",
    "evaluate",
    "features",
    "label",
    "open",
    "plot",
    "read_ticks",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES and name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - a name costs nothing before it is used

    if name in _MODULES:
        value: object = import_module(f"{__name__}.library.{name}")
    else:
        module, _, own_name = _HOMES[name].partition(":")
        value = getattr(import_module(f"{__name__}.library.{module}"), own_name or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
