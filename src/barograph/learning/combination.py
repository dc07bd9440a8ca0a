"""Combination of forecasts: the mean of the log forecasts of several regressions.

Source: Timmermann (2006), Forecast Combinations, Handbook of Economic Forecasting 1: equal weights
are hard to beat where the members are about as good and their errors differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barograph.arrays import Float64
from barograph.errors import BadInputError
from barograph.learning.examples import uncalibrated
from barograph.learning.fitted import AsGiven, Fitted, Linear, LogLogistic, Seen
from barograph.learning.onnx_graph import Graph
from barograph.registry.model import TAU


@dataclass(frozen=True, slots=True)
class Member:
    """A regression of a combination; `columns` are the places of its features in the common x."""

    columns: tuple[int, ...]
    fitted: Fitted
    head: LogLogistic

    def location(self, x: Seen) -> Float64:
        """Median of ln v (n,) of common features x (n, f)."""
        own = np.ascontiguousarray(x[:, self.columns], np.float32)
        return self.head.location(self.fitted.core(self.fitted.view.apply(own)), own)

    def nodes(self, graph: Graph, given: str) -> str:
        """Add the median of ln v to a graph; return the name of its output (n, 1)."""
        own = graph.add("Gather", given, graph.constant(np.array(self.columns, np.int64)), axis=1)
        core = self.fitted.core.nodes(graph, self.fitted.view.nodes(graph, own))
        return self.head.location_nodes(graph, core, own)


@dataclass(frozen=True, slots=True)
class MeanLocation:
    """The core of a combination: the mean over the members of the median of ln v."""

    members: tuple[Member, ...]

    def __call__(self, seen: Seen) -> Float64:
        """Evaluate common features (n, f) to (n,)."""
        total = self.members[0].location(seen)
        for member in self.members[1:]:
            total = total + member.location(seen)
        return total / len(self.members)

    def nodes(self, graph: Graph, seen: str) -> str:
        """Add the function to a graph; return the name of its output (n, 1)."""
        total = self.members[0].nodes(graph, seen)
        for member in self.members[1:]:
            total = graph.add("Add", total, member.nodes(graph, seen))
        return graph.add("Div", total, graph.constant(np.float64(len(self.members))))


def combined(features: tuple[str, ...], fitted: Sequence[Fitted]) -> Fitted:
    """The combination of regressions, whose error has the mean log scale of theirs.

    features: those of the members, tau among them. Raises BadInputError for a member that is no
    regression.
    """
    members = []
    for each in fitted:
        if not isinstance(each.head, LogLogistic):
            raise BadInputError(each.name, "it has no log forecast", "Combine regressions alone")
        members.append(Member(tuple(map(features.index, each.features)), each, each.head))
    m = len(features)
    # Inputs are standardised, so that the bias is the log scale of an ordinary row.
    width = float(np.mean([member.head.spread.bias for member in members]))
    constant = Linear(np.zeros(m), np.full(m, np.inf), np.zeros(m), width)
    law = LogLogistic(features.index(TAU), constant)
    return uncalibrated(AsGiven(), MeanLocation(tuple(members)), law)
