"""Features told relative to their regime: what is relative travels to days that nobody has seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from barograph.arrays import Bool, Float32, Float64, Int64
from barograph.learning.onnx_graph import Graph

VOL_FLOOR = 1e-7
"""1/√s. Volatilities below count as this one, so that a minute without a move has a logarithm."""


class Ratio(NamedTuple):
    """The column ln max(|above|, floor) − ln max(|below|, floor_below); names are features.

    Without `below` there is nothing to take off; a `floor` of 0 leaves `above` as it is.
    """

    above: str
    below: str = ""
    floor: float = VOL_FLOOR
    floor_below: float = VOL_FLOOR


@dataclass(frozen=True, eq=False)
class Relative:
    """Features (n, f) → what a model sees (n, m): one column for each ratio, in float64."""

    features: tuple[str, ...]
    ratios: tuple[Ratio, ...]

    @classmethod
    def of(cls, ratios: Sequence[Ratio], *others: str) -> "Relative":
        """The view of these ratios, over the features that they and `others` name, in order."""
        named = [name for ratio in ratios for name in ratio[:2] if name]
        return cls(tuple(dict.fromkeys([*named, *others])), tuple(ratios))

    @cached_property
    def _above(self) -> Int64:
        return np.array([self.features.index(ratio.above) for ratio in self.ratios], np.int64)

    @cached_property
    def _below(self) -> Int64:
        # What has nothing below takes off a logarithm of 1: any feature, raised to 0.
        places = [self.features.index(ratio.below or ratio.above) for ratio in self.ratios]
        return np.array(places, np.int64)

    @cached_property
    def _floors(self) -> tuple[Float64, Float64]:
        """(m,) each; those of columns that have no logarithm are of no account."""
        above, below = zip(*[(r.floor or 1.0, r.floor_below) for r in self.ratios], strict=True)
        return np.array(above), np.array(below)

    @cached_property
    def _as_is(self) -> Bool:
        return np.array([ratio.floor == 0 for ratio in self.ratios])

    @cached_property
    def _taken_off(self) -> Float64:
        return np.array([float(bool(ratio.below)) for ratio in self.ratios])

    def apply(self, x: Float32) -> Float64:
        """(n, m) float64 of (n, f)."""
        wide = x.astype(np.float64)
        above, below = wide[:, self._above], wide[:, self._below]
        floor, floor_below = self._floors
        scaled = np.where(self._as_is, above, log_above(above, floor))
        out: Float64 = scaled - self._taken_off * log_above(below, floor_below)
        return out

    def nodes(self, graph: Graph, given: str) -> str:
        """The same as nodes of a graph, from the value `given` float64 (n, f)."""
        above = graph.add("Gather", given, graph.constant(self._above), axis=1)
        below = graph.add("Gather", given, graph.constant(self._below), axis=1)
        floor, floor_below = self._floors
        logged = log_above_nodes(graph, above, floor)
        scaled = graph.add("Where", graph.constant(self._as_is), above, logged)
        off = graph.add(
            "Mul", log_above_nodes(graph, below, floor_below), graph.constant(self._taken_off)
        )
        return graph.add("Sub", scaled, off)


def log_above(values: Float32 | Float64, floor: float | Float64 = VOL_FLOOR) -> Float64:
    """Ln max(|values|, floor) in float64; `floor` may be one for each column."""
    out: Float64 = np.log(np.maximum(np.abs(values.astype(np.float64)), floor))
    return out


def log_above_nodes(graph: Graph, value: str, floor: float | Float64 = VOL_FLOOR) -> str:
    """The same as nodes of a graph."""
    bounded = graph.add("Max", graph.add("Abs", value), graph.constant(np.float64(floor)))
    return graph.add("Log", bounded)
