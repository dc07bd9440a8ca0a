"""Trained models: a view of the features, a sum, and a head that makes a probability of it.

    view   features (n, f) float32 → what is seen (n, m) float64   `AsGiven`, `Encoding`, `Relative`
    core   what is seen → one number (n,)                          `Linear`, `Trees`
    head   that number → log-odds z                                `Odds`, `LogLogistic`
    p = sigmoid(slope · z + bias), a calibration on rows of their own

`Odds` takes the number for the log-odds: a classifier. `LogLogistic` takes it for the logarithm of
the coming volatility, of which it knows how far it may be off: a regression, from which follow a
forecast and the probability of reaching any threshold. Each part knows itself as nodes of a graph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from barograph.arrays import Float32, Float64
from barograph.learning.onnx_graph import Graph
from barograph.learning.relative import log_above, log_above_nodes
from barograph.learning.trees import TreeTable

Seen = Float64 | Float32
"""What a model sees of its features: (n, m)."""

_Z_LIMIT = 30.0  # log-odds; beyond, a probability is 0 or 1 in all but name


class View(Protocol):
    """What a model sees of its features."""

    def apply(self, x: Float32) -> Seen:
        """(n, m) of (n, f)."""

    def nodes(self, graph: Graph, given: str) -> str:
        """The same as nodes of a graph, from `given` float64 (n, f)."""


class Core(Protocol):
    """One number of what is seen."""

    def __call__(self, seen: Seen) -> Float64:
        """(n,) of (n, m)."""

    def nodes(self, graph: Graph, seen: str) -> str:
        """The same as nodes of a graph: (n, 1)."""


class AsGiven:
    """A model that sees its features as they are."""

    def apply(self, x: Float32) -> Float64:
        """(n, f) in float64."""
        return x.astype(np.float64)

    def nodes(self, graph: Graph, given: str) -> str:
        """Nothing is added to a graph."""
        del graph
        return given


@dataclass(frozen=True, slots=True)
class Linear:
    """clip((seen − mean) / scale, ±limit) · weights + bias; mean, scale and weights are (m,)."""

    mean: Float64
    scale: Float64
    weights: Float64
    bias: float
    limit: float = np.inf

    def standard(self, seen: Seen) -> Float64:
        """(n, m): standardised and cut."""
        z: Float64 = np.clip((seen - self.mean) / self.scale, -self.limit, self.limit)
        return z

    def __call__(self, seen: Seen) -> Float64:
        """(n,) of (n, m)."""
        return self.standard(seen) @ self.weights + self.bias

    def nodes(self, graph: Graph, seen: str) -> str:
        """The same as nodes of a graph: (n, 1)."""
        z = graph.add("Sub", seen, graph.constant(self.mean))
        z = graph.add("Div", z, graph.constant(self.scale))
        limits = (graph.constant(np.float64(sign * self.limit)) for sign in (-1, 1))
        z = graph.add("Clip", z, *limits)
        z = graph.add("MatMul", z, graph.constant(self.weights[:, None]))
        return graph.add("Add", z, graph.constant(np.float64(self.bias)))


@dataclass(frozen=True, slots=True)
class Trees:
    """The sum of leaves. raw: what grew the trees: rows (n, m) float32 → (n,) float64."""

    raw: Callable[[Float32], Float64]
    table: TreeTable

    def __call__(self, seen: Seen) -> Float64:
        """(n,) of (n, m)."""
        return self.raw(np.ascontiguousarray(seen, np.float32))

    def nodes(self, graph: Graph, seen: str) -> str:
        """The same as nodes of a graph: (n, 1)."""
        return self.table.node(graph, graph.narrowed(seen))


@dataclass(frozen=True, slots=True)
class Odds:
    """A classifier's head: the sum is the log-odds.

    volatility: the place of the feature that stands for a forecast of it, if one does.
    """

    volatility: int | None = None

    def z(self, core: Float64, seen: Seen, x: Float32) -> Float64:
        """Log-odds (n,)."""
        del seen, x
        return core

    def forecast(self, core: Float64, x: Float32) -> Float64 | None:
        """Volatilities (n,) in 1/√s, or None."""
        del core
        return None if self.volatility is None else x[:, self.volatility].astype(np.float64)

    def nodes(self, graph: Graph, core: str, seen: str, given: str) -> str:
        """Log-odds as nodes of a graph: (n, 1)."""
        del graph, seen, given
        return core


@dataclass(frozen=True, slots=True)
class LogLogistic:
    """A regression's head: ln v is logistic around ln base + sum, with the scale exp(spread(seen)).

    So the odds of v ≥ tau are exp((ln base + sum − ln tau) / scale). `base` and `tau` are places of
    features; without a base ln v is around the sum itself. The logistic distribution has tails as
    heavy as log volatilities need: least absolute deviations far out, least squares near by.
    """

    tau: int
    spread: Linear
    base: int | None = None

    def location(self, core: Float64, x: Float32) -> Float64:
        """(n,): the median of ln v."""
        if self.base is None:
            return core
        return core + log_above(x[:, self.base])

    def z(self, core: Float64, seen: Seen, x: Float32) -> Float64:
        """Log-odds (n,)."""
        tau = log_above(x[:, self.tau])
        z: Float64 = (self.location(core, x) - tau) * np.exp(-self.spread(seen))
        return z

    def forecast(self, core: Float64, x: Float32) -> Float64:
        """Median volatilities (n,) in 1/√s."""
        return np.exp(self.location(core, x))

    def nodes(self, graph: Graph, core: str, seen: str, given: str) -> str:
        """Log-odds as nodes of a graph: (n, 1)."""
        if self.base is not None:
            base = log_above_nodes(graph, graph.column(given, self.base))
            core = graph.add("Add", core, base)
        tau = log_above_nodes(graph, graph.column(given, self.tau))
        over = graph.add("Sub", core, tau)
        steepness = graph.add("Exp", graph.add("Neg", self.spread.nodes(graph, seen)))
        return graph.add("Mul", over, steepness)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model: pure."""

    name: str
    features: tuple[str, ...]
    view: View
    core: Core
    head: Odds | LogLogistic
    slope: float = 1.0
    bias: float = 0.0

    def z(self, x: Float32) -> Float64:
        """Log-odds (n,) of finite rows (n, f), before calibration."""
        seen = self.view.apply(x)
        z: Float64 = np.clip(self.head.z(self.core(seen), seen, x), -_Z_LIMIT, _Z_LIMIT)
        return z

    def predict(self, x: Float32) -> Float64:
        """Probabilities (n,) of finite rows (n, f)."""
        return sigmoid(self.slope * self.z(x) + self.bias)

    def volatility(self, x: Float32) -> Float64 | None:
        """The forecast of the coming volatility (n,) in 1/√s, where the model has one."""
        return self.head.forecast(self.core(self.view.apply(x)), x)

    def to_onnx(self) -> bytes:
        """The same function as a graph, unchecked: use `models.export`."""
        graph = Graph(len(self.features))
        given = graph.wide()
        seen = self.view.nodes(graph, given)
        z = self.head.nodes(graph, self.core.nodes(graph, seen), seen, given)
        limits = (graph.constant(np.float64(sign * _Z_LIMIT)) for sign in (-1, 1))
        z = graph.add("Mul", graph.add("Clip", z, *limits), graph.constant(np.float64(self.slope)))
        z = graph.add("Add", z, graph.constant(np.float64(self.bias)))
        column = graph.constant(np.array([1], np.int64))
        return graph.finished(self.name, graph.add("Squeeze", graph.add("Sigmoid", z), column))


def sigmoid(z: Float64) -> Float64:
    """1 / (1 + exp(−z)), exact far out on both sides."""
    out: Float64 = np.exp(-np.logaddexp(0.0, -z))
    return out
