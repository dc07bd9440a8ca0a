"""Forecast cases, and the public API for defining your own.

The names in `__all__` are stable; the modules behind them may change. They are imported on first
use, so that code that only reads records loads nothing that trains.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from barograph.cases.case import Case, Table, Target
    from barograph.cases.cold_start import ColdStart
    from barograph.cases.contract import Contract, Stream
    from barograph.cases.live_series import LiveSeries
    from barograph.cases.series import series_case
    from barograph.cases.tabular import tabular_case
    from barograph.learning import candidates

__all__ = [
    "Case",
    "ColdStart",
    "Contract",
    "LiveSeries",
    "Stream",
    "Table",
    "Target",
    "candidates",
    "series_case",
    "tabular_case",
]

_HOMES = {
    "Case": "barograph.cases.case",
    "Table": "barograph.cases.case",
    "Target": "barograph.cases.case",
    "ColdStart": "barograph.cases.cold_start",
    "Contract": "barograph.cases.contract",
    "LiveSeries": "barograph.cases.live_series",
    "series_case": "barograph.cases.series",
    "Stream": "barograph.cases.contract",
    "tabular_case": "barograph.cases.tabular",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - of any kind
    if name == "candidates":
        return import_module("barograph.learning.candidates")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
