"""Features relative to their regime, which transfer to regimes outside the training data."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from barograph.arrays import Bool, Float32, Float64, Int64
from barograph.learning.onnx_graph import Graph

VOL_FLOOR = 1e-7
"""Lower bound of volatilities in 1/√s, so that a constant minute has a finite logarithm."""


Base = tuple[str, ...]
"""The features whose geometric mean is what a regression is relative to; empty for nothing."""


class Ratio(NamedTuple):
    """The column ln max(|above|, floor) − ln max(|below|, floor_below); names are features.

    Without `below` nothing is subtracted; with a `floor` of 0 `above` is used without logarithm.

    >>> bg.candidates.Ratio("observed_vol_10s", "observed_vol_300s").below
    'observed_vol_300s'
    """

    above: str
    below: str = ""
    floor: float = VOL_FLOOR
    floor_below: float = VOL_FLOOR


@dataclass(frozen=True, eq=False)
class Relative:
    """The view with one float64 column for each ratio: features (n, f) → inputs (n, m).

    >>> view = bg.candidates.Relative.of([bg.candidates.Ratio("observed_vol_10s", "tau")])
    >>> view.features
    ('observed_vol_10s', 'tau')
    >>> view.apply(np.array([[2e-4, 1e-4]], np.float32)).round(3)  # ln 2
    array([[0.693]])
    """

    features: tuple[str, ...]
    ratios: tuple[Ratio, ...]

    @classmethod
    def of(cls, ratios: Sequence[Ratio], *others: str) -> "Relative":
        """The view of `ratios`; its features are those that they name, then `others`."""
        named = [name for ratio in ratios for name in ratio[:2] if name]
        return cls(tuple(dict.fromkeys([*named, *others])), tuple(ratios))

    def places(self, names: Sequence[str]) -> tuple[int, ...]:
        """The indices of these features."""
        return tuple(map(self.features.index, names))

    @cached_property
    def _above(self) -> Int64:
        return np.array([self.features.index(ratio.above) for ratio in self.ratios], np.int64)

    @cached_property
    def _below(self) -> Int64:
        # Without `below` the index is arbitrary: its logarithm is multiplied by 0.
        places = [self.features.index(ratio.below or ratio.above) for ratio in self.ratios]
        return np.array(places, np.int64)

    @cached_property
    def _floors(self) -> tuple[Float64, Float64]:
        """(m,) each; unused for columns without logarithm."""
        above, below = zip(*[(r.floor or 1.0, r.floor_below) for r in self.ratios], strict=True)
        return np.array(above), np.array(below)

    @cached_property
    def _as_is(self) -> Bool:
        return np.array([ratio.floor == 0 for ratio in self.ratios])

    @cached_property
    def _logged(self) -> tuple[Int64, Float64, Int64, Int64]:
        """The columns to take logarithms of and their floors, each pair once, (k,) each.

        Then the places among them of what each ratio has above and below, (m,) each; 0 for none.
        """
        floors = zip(*(each.tolist() for each in self._floors), strict=True)
        above, below = [], []
        for ratio, top, bottom, (floor, floor_below) in zip(
            self.ratios, self._above.tolist(), self._below.tolist(), floors, strict=True
        ):
            above.append((top, floor) if ratio.floor else None)
            below.append((bottom, floor_below) if ratio.below else None)
        pairs = list(dict.fromkeys(pair for pair in (*above, *below) if pair is not None))
        columns = np.array([column for column, _ in pairs], np.int64)
        places = {pair: place for place, pair in enumerate(pairs)}
        of_above, of_below = (
            np.array([0 if pair is None else places[pair] for pair in side], np.int64)
            for side in (above, below)
        )
        return columns, np.array([floor for _, floor in pairs]), of_above, of_below

    @cached_property
    def _taken_off(self) -> Float64:
        return np.array([float(bool(ratio.below)) for ratio in self.ratios])

    def apply(self, x: Float32) -> Float64:
        """Transform x (n, f) to inputs (n, m) float64."""
        columns, floors, above, below = self._logged
        if not len(columns):
            return x[:, self._above].astype(np.float64)
        logs = log_above(x[:, columns], floors)
        out: Float64 = np.where(self._as_is, x[:, self._above], logs[:, above])
        taken_off = np.flatnonzero(self._taken_off)
        out[:, taken_off] -= logs[:, below[taken_off]]
        return out

    def nodes(self, graph: Graph, given: str) -> str:
        """Add the transform of `given`, float64 (n, f), to a graph; return the output's name."""
        above = graph.add("Gather", given, graph.constant(self._above), axis=1)
        below = graph.add("Gather", given, graph.constant(self._below), axis=1)
        floor, floor_below = self._floors
        logged = log_above_nodes(graph, above, floor)
        scaled = graph.add("Where", graph.constant(self._as_is), above, logged)
        off = graph.add(
            "Mul", log_above_nodes(graph, below, floor_below), graph.constant(self._taken_off)
        )
        return graph.add("Sub", scaled, off)


@dataclass(frozen=True, slots=True)
class MeanRatio:
    """The view with one column: ln of a geometric mean of features over that of another one.

    places: (k,) of the features of the mean; below: of the other one.
    """

    places: tuple[int, ...]
    below: int

    def apply(self, x: Float32) -> Float64:
        """Transform x (n, f) to inputs (n, 1) float64."""
        out: Float64 = log_mean(x, self.places) - log_above(x[:, self.below])
        return out[:, None]

    def nodes(self, graph: Graph, given: str) -> str:
        """Add the transform of `given`, float64 (n, f), to a graph; return the output's name."""
        below = log_above_nodes(graph, graph.column(given, self.below))
        return graph.add("Sub", log_mean_nodes(graph, given, self.places), below)


def log_above(values: Float32 | Float64, floor: float | Float64 = VOL_FLOOR) -> Float64:
    """Ln max(|values|, floor) in float64; `floor` is a number or one per column."""
    out: Float64 = np.log(np.maximum(np.abs(values.astype(np.float64)), floor))
    return out


def log_mean(x: Float32, places: Sequence[int]) -> Float64:
    """The mean over these columns of x (n, f) of `log_above`, (n,): ln of their geometric mean."""
    out: Float64 = log_above(x[:, list(places)]) @ np.full(len(places), 1 / len(places))
    return out


def log_mean_nodes(graph: Graph, given: str, places: Sequence[int]) -> str:
    """Add `log_mean` of `given` (n, f) to a graph; return the name of its output (n, 1)."""
    logs = log_above_nodes(
        graph, graph.add("Gather", given, graph.constant(np.array(places)), axis=1)
    )
    return graph.add("MatMul", logs, graph.constant(np.full((len(places), 1), 1 / len(places))))


def log_above_nodes(graph: Graph, value: str, floor: float | Float64 = VOL_FLOOR) -> str:
    """Add `log_above` of `value` to a graph; return the output's name."""
    bounded = graph.add("Max", graph.add("Abs", value), graph.constant(np.float64(floor)))
    return graph.add("Log", bounded)
