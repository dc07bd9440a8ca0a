"""Trained models: a view of the features, a core function, and a head that gives log-odds.

    view   features (n, f) float32 → inputs (n, m) float64          `AsGiven`, `Encoding`,
    `Relative` core   inputs → one number (n,)                              `Linear`, `Trees`
    head   that number → log-odds z                                `Odds`, `Chance`, `LogLogistic`
    p = sigmoid(slope · z + bias), calibrated on held-out rows

`Odds` and `Chance` are the heads of classifiers: the number is the log-odds, or the probability,
of which a forest says 0 and 1 too. `LogLogistic` is the head of
regressions: the number is the log of future volatility, with a scale of its error, which gives a
forecast and the probability of reaching any threshold. Each part can add itself to an ONNX graph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from barograph.arrays import Float32, Float64
from barograph.learning.onnx_graph import Graph
from barograph.learning.relative import log_above, log_above_nodes, log_mean, log_mean_nodes
from barograph.learning.trees import TreeTable

Seen = Float64 | Float32
"""Inputs of a core: (n, m)."""

_Z_LIMIT = 30.0  # log-odds; beyond it probabilities are practically 0 or 1


class View(Protocol):
    """Transforms features to the inputs of a core."""

    def apply(self, x: Float32) -> Seen:
        """Transform x (n, f) to inputs (n, m)."""

    def nodes(self, graph: Graph, given: str) -> str:
        """Add the transform of `given`, float64 (n, f), to a graph; return the output's name."""


class Core(Protocol):
    """A function from inputs to one number per row."""

    def __call__(self, seen: Seen) -> Float64:
        """Evaluate inputs (n, m) to (n,)."""

    def nodes(self, graph: Graph, seen: str) -> str:
        """Add the function to a graph; return the name of its output (n, 1)."""


class AsGiven:
    """The view that passes features on unchanged."""

    def apply(self, x: Float32) -> Float64:
        """Convert x (n, f) to float64."""
        return x.astype(np.float64)

    def nodes(self, graph: Graph, given: str) -> str:
        """Return `given`; nothing is added to the graph."""
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
        """Inputs (n, m), standardised and clipped."""
        z: Float64 = np.clip((seen - self.mean) / self.scale, -self.limit, self.limit)
        return z

    def __call__(self, seen: Seen) -> Float64:
        """Evaluate inputs (n, m) to (n,)."""
        return self.standard(seen) @ self.weights + self.bias

    def nodes(self, graph: Graph, seen: str) -> str:
        """Add the function to a graph; return the name of its output (n, 1)."""
        z = graph.add("Sub", seen, graph.constant(self.mean))
        z = graph.add("Div", z, graph.constant(self.scale))
        limits = (graph.constant(np.float64(sign * self.limit)) for sign in (-1, 1))
        z = graph.add("Clip", z, *limits)
        z = graph.add("MatMul", z, graph.constant(self.weights[:, None]))
        return graph.add("Add", z, graph.constant(np.float64(self.bias)))


@dataclass(frozen=True, slots=True)
class Trees:
    """A sum of tree leaves. raw: the library's predictor, inputs (n, m) float32 → (n,) float64."""

    raw: Callable[[Float32], Float64]
    table: TreeTable

    def __call__(self, seen: Seen) -> Float64:
        """Evaluate inputs (n, m) to (n,)."""
        return self.raw(np.ascontiguousarray(seen, np.float32))

    def nodes(self, graph: Graph, seen: str) -> str:
        """Add the function to a graph; return the name of its output (n, 1)."""
        return self.table.node(graph, graph.narrowed(seen))


@dataclass(frozen=True, slots=True)
class Odds:
    """A classifier's head: the core's number is the log-odds.

    volatility: indices of the features whose geometric mean is the volatility forecast, of one of
    them that feature itself; empty for no forecast.
    """

    volatility: tuple[int, ...] = ()

    def z(self, core: Float64, seen: Seen, x: Float32) -> Float64:
        """Uncalibrated log-odds (n,)."""
        del seen, x
        return core

    def forecast(self, core: Float64, x: Float32) -> Float64 | None:
        """Volatilities (n,) in 1/√s, or None."""
        del core
        if len(self.volatility) == 1:
            return x[:, self.volatility[0]].astype(np.float64)
        return np.exp(log_mean(x, self.volatility)) if self.volatility else None

    def nodes(self, graph: Graph, core: str, seen: str, given: str) -> str:
        """Add the log-odds to a graph; return the name of its output (n, 1)."""
        del graph, seen, given
        return core

    def median_nodes(self, graph: Graph, core: str, given: str) -> str | None:
        """Add the forecast to a graph; return the name of its output (n, 1), None without one."""
        del core
        if len(self.volatility) == 1:
            return graph.column(given, self.volatility[0])
        if not self.volatility:
            return None
        return graph.add("Exp", log_mean_nodes(graph, given, self.volatility))


@dataclass(frozen=True, slots=True)
class Chance:
    """A classifier's head: the core's number is a probability p, 0 and 1 included.

    The log-odds are those of (p · rows + ½) / (rows + 1): nobody who saw so many independent rows
    knows p better than that, and the order of the rows stays. Source: Krichevsky, Trofimov (1981),
    IEEE Transactions on Information Theory 27(2).
    """

    rows: float

    def z(self, core: Float64, seen: Seen, x: Float32) -> Float64:
        """Uncalibrated log-odds (n,)."""
        del seen, x
        z: Float64 = np.log(core * self.rows + 0.5) - np.log((1 - core) * self.rows + 0.5)
        return z

    def forecast(self, core: Float64, x: Float32) -> None:
        """None: it has no forecast of the value itself."""

    def nodes(self, graph: Graph, core: str, seen: str, given: str) -> str:
        """Add the log-odds to a graph; return the name of its output (n, 1)."""
        del seen, given
        rows, half = graph.constant(np.float64(self.rows)), graph.constant(np.float64(0.5))
        other = graph.add("Sub", graph.constant(np.float64(1)), core)
        yes, no = (
            graph.add("Log", graph.add("Add", graph.add("Mul", side, rows), half))
            for side in (core, other)
        )
        return graph.add("Sub", yes, no)

    def median_nodes(self, graph: Graph, core: str, given: str) -> None:
        """Add nothing: there is no forecast."""


@dataclass(frozen=True, slots=True)
class LogLogistic:
    """A regression's head: ln v is logistic around ln base + core, with scale exp(spread(seen)).

    So the odds of v ≥ tau are exp((ln base + core − ln tau) / scale). `tau` is the index of a
    feature, `base` of those whose geometric mean is the base; without any, ln v is centred on the
    core. The logistic distribution has the heavy tails of log volatility: its loss is absolute for
    large errors and squared for small ones.
    """

    tau: int
    spread: Linear
    base: tuple[int, ...] = ()

    def location(self, core: Float64, x: Float32) -> Float64:
        """Median of ln v (n,)."""
        return core + log_mean(x, self.base) if self.base else core

    def z(self, core: Float64, seen: Seen, x: Float32) -> Float64:
        """Uncalibrated log-odds (n,)."""
        tau = log_above(x[:, self.tau])
        z: Float64 = (self.location(core, x) - tau) * np.exp(-self.spread(seen))
        return z

    def forecast(self, core: Float64, x: Float32) -> Float64:
        """Median volatilities (n,) in 1/√s."""
        return np.exp(self.location(core, x))

    def nodes(self, graph: Graph, core: str, seen: str, given: str) -> str:
        """Add the log-odds to a graph; return the name of its output (n, 1)."""
        location = self.location_nodes(graph, core, given)
        tau = log_above_nodes(graph, graph.column(given, self.tau))
        over = graph.add("Sub", location, tau)
        steepness = graph.add("Exp", graph.add("Neg", self.spread.nodes(graph, seen)))
        return graph.add("Mul", over, steepness)

    def location_nodes(self, graph: Graph, core: str, given: str) -> str:
        """Add the median of ln v to a graph; return the name of its output (n, 1)."""
        if not self.base:
            return core
        return graph.add("Add", core, log_mean_nodes(graph, given, self.base))

    def median_nodes(self, graph: Graph, core: str, given: str) -> str:
        """Add the forecast to a graph; return the name of its output (n, 1)."""
        return graph.add("Exp", self.location_nodes(graph, core, given))


class Output(NamedTuple):
    """Uncalibrated log-odds (n,), and the forecast of volatility (n,) in 1/√s if there is one."""

    z: Float64
    volatility: Float64 | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model; an immutable value."""

    name: str
    features: tuple[str, ...]
    view: View
    core: Core
    head: Odds | Chance | LogLogistic
    slope: float = 1.0
    bias: float = 0.0

    def z(self, x: Float32) -> Float64:
        """Uncalibrated log-odds (n,) of finite features x (n, f), clipped to ±30."""
        return self.both(x).z

    def predict(self, x: Float32) -> Float64:
        """Probabilities (n,) of finite features x (n, f)."""
        return self.calibrated(self.z(x))

    def calibrated(self, z: Float64) -> Float64:
        """Probabilities (n,) of uncalibrated log-odds (n,)."""
        return sigmoid(self.slope * z + self.bias)

    def volatility(self, x: Float32) -> Float64 | None:
        """Forecast of future volatility (n,) in 1/√s, or None if the model has none."""
        return self.both(x).volatility

    def both(self, x: Float32) -> Output:
        """`z` and `volatility` of finite features x (n, f), at the price of one of them."""
        seen = self.view.apply(x)
        core = self.core(seen)
        z: Float64 = np.clip(self.head.z(core, seen, x), -_Z_LIMIT, _Z_LIMIT)
        return Output(z, self.head.forecast(core, x))

    def to_onnx(self, *, median: bool = False) -> bytes:
        """The model as an unchecked ONNX graph; use `registry.model.export`.

        median: whether the forecast is an output too, if there is one.
        """
        graph = Graph(len(self.features))
        given = graph.wide()
        seen = self.view.nodes(graph, given)
        core = self.core.nodes(graph, seen)
        z = self.head.nodes(graph, core, seen, given)
        limits = (graph.constant(np.float64(sign * _Z_LIMIT)) for sign in (-1, 1))
        z = graph.add("Mul", graph.add("Clip", z, *limits), graph.constant(np.float64(self.slope)))
        z = graph.add("Add", z, graph.constant(np.float64(self.bias)))
        column = graph.constant(np.array([1], np.int64))
        probability = graph.add("Squeeze", graph.add("Sigmoid", z), column)
        forecast = self.head.median_nodes(graph, core, given) if median else None
        if forecast is not None:
            forecast = graph.add("Squeeze", forecast, column)
        return graph.finished(self.name, probability, forecast)


def sigmoid(z: Float64) -> Float64:
    """1 / (1 + exp(−z)), accurate in both tails."""
    out: Float64 = np.exp(-np.logaddexp(0.0, -z))
    return out
