"""What can be known of a market's hidden state by watching it: the ceiling of any model.

`market.spike_probability` is the truth for one who knows the latent state; nobody does. Here a
cloud of particles, each a latent state that may be, moves by the law of `market` from second to
second and is weighed by how well it explains what the ticks showed. The mean of the truth over the
cloud is the best forecast that this allows: but for chance and the filter's own noise, no model
that sees no more has a lower log loss. Source: Gordon, Salmond and Smith (1993), IEE Proceedings F
140(2).
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Float64, Int64
from barograph.compiled import compiled
from barograph.errors import BadInputError
from barograph.simulated.law import (
    LEVEL_STEP,
    SLOW_STEP,
    MarketModel,
    check_model,
    generator,
    order_rate,
    spike_probability,
)
from barograph.simulated.tape import MarketEvent, Print
from barograph.types import NS_PER_S

FURTHEST = 5.0
"""Deviations of slow beyond which its lattice ends; what is beyond counts as its edge."""

HIGHEST = 8.0
"""Log-variance above the typical one at which the lattice ends: far above any tau of use."""

EAGERNESS = 10.0
"""How many times too often particles jump, at as much less weight. A jump is rare and seen within
seconds: with 1,000 particles of two products and jumps at their own rate none is near it yet."""

PRIORITY = 0.5
"""Particles are resampled by their weight to this power and keep the rest of it, so that those of
little weight, such as have just jumped, have time to be proved right."""


class Sight(NamedTuple):
    """What of the orders is weighed. The least is the return of each second with an order."""

    arrivals: bool = True
    """When they came: the likelihood of a Hawkes process, exact but for what came before it."""
    every_return: bool = True
    """The return from each order to the next, instead of that from second to second."""
    spreads: bool = True
    """The spread that each left."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """How closely to look; `paths` sets the error of the truth, as in `spike_probability`."""

    sight: Sight = Sight()
    particles: int = 1000
    paths: int = 4000
    seed: int = 0


FILTER = Filter()


class Orders(NamedTuple):
    """What one product's ticks show, an entry an order: all trades of one time are one order's.

    `second` counts from the first one watched and rises, `place_s` is the place within it.
    `log_mid` is of the quotes after the order, `spread` in increments, and `rounding` the variance
    that the quotes' increment adds to a return.
    """

    second: Int64
    place_s: Float64
    log_mid: Float64
    spread: Int64
    rounding: float


class _Shown(NamedTuple):
    """Orders as particles are weighed by them; variances in those of a typical second."""

    first: Int64
    """(seconds + 1,): the first order of each second."""
    wait_s: Float64
    """Time of the order's second that had passed since the order before."""
    rest_s: Float64
    """(seconds,): what is left of a second after its last order."""
    excitation: Float64
    """What earlier orders add to the rate of orders as this one comes, 1/s."""
    square: Float64
    """Squared return since the last one that is weighed; NaN where none is."""
    widening: Int64
    """(seconds,): increments by which the spreads of the second's orders are above one."""
    rounding: float


def orders(
    events: Iterable[MarketEvent], products: Sequence[str], start_s: int, increment: float
) -> list[Orders]:
    """The orders of each product in what a market prints, from second `start_s` on, in order."""
    seen: dict[str, list[tuple[int, float, float]]] = {product: [] for product in products}
    for event in events:
        if isinstance(event, Print) and event.product in seen:
            mine = seen[event.product]
            if not mine or event.time_ns > mine[-1][0]:
                mine.append((event.time_ns, float(event.bid), float(event.ask)))
    return [_observed(product, seen[product], start_s, increment) for product in products]


def _observed(
    product: str, seen: list[tuple[int, float, float]], start_s: int, increment: float
) -> Orders:
    if not seen:
        raise BadInputError(f"orders of {product}", "there are none", "Watch it for longer")
    time_ns = np.array([order[0] for order in seen], np.int64) - start_s * NS_PER_S
    bid, ask = np.array([order[1:] for order in seen]).T
    mid = (bid + ask) / 2
    return Orders(
        second=time_ns // NS_PER_S,
        place_s=time_ns % NS_PER_S / NS_PER_S,
        log_mid=np.log(mid),
        spread=np.round((ask - bid) / increment).astype(np.int64),
        rounding=float((increment / mid[0]) ** 2 / 6),
    )


def forecast(
    model: MarketModel,
    watched: Sequence[Orders],
    tau: Float64,
    seconds: int,
    how: Filter = FILTER,
) -> Float64:
    """The probability of a spike after each second, given all that was watched up to its end.

    `watched` are products of one market, whose news is common as the model says: together each
    tells of the others, alone only of itself. `tau` (products, k) are the thresholds to ask for.
    out: (products, seconds, k) float64 in [0, 1]. Deterministic. Raises BadInputError.

    A bootstrap filter: particles start from the stationary law, move by it, but jump more often
    (`EAGERNESS`), and are resampled systematically when they are worth less than half their number.
    Given a particle the weights are exact but for this: a rounded mid counts as one with noise of
    its own, orders before the first second count in their mean, and without `arrivals` the times of
    returns say nothing. The truth of a particle averages over how long ago the last order was,
    which a watcher knows.
    """
    model = check_model(model)
    if len(tau) != len(watched) or how.particles < 2:
        raise BadInputError(
            "filter",
            f"{len(watched)} products, thresholds for {len(tau)}, {how.particles} particles",
            "Give thresholds for each product, and two particles or more",
        )
    tables = np.array([[_table(model, one, how.paths) for one in each] for each in tau])
    shown = tuple(_shown(model, one, seconds, how.sight) for one in watched)
    rng = generator(how.seed, "particles")
    cloud = _start(model, len(watched), how.particles, rng)
    lowest = np.array([_slow_nodes(model)[0], _level_nodes(model)[0]])
    out = np.empty((seconds, *tau.shape))
    _follow(model, how.sight, shown, cloud, lowest, tables, rng, out)
    # A mean of ones may round to a little more.
    return np.ascontiguousarray(np.minimum(out, 1.0).transpose(1, 0, 2))


def _slow_nodes(model: MarketModel) -> Int64:
    end = int(np.ceil(FURTHEST * model.slow_std / SLOW_STEP)) + 1
    return np.arange(-end, end + 1)


def _level_nodes(model: MarketModel) -> Int64:
    lowest = int(np.floor(-FURTHEST * model.slow_std / LEVEL_STEP)) - 1
    return np.arange(lowest, int(HIGHEST / LEVEL_STEP) + 1)


def _table(model: MarketModel, tau: float, paths: int) -> Float64:
    """(levels, slows): the truth on the lattice of `market`, between whose nodes it is linear."""
    slow, level = np.meshgrid(
        _slow_nodes(model) * SLOW_STEP, _level_nodes(model) * LEVEL_STEP, indexing="xy"
    )
    latent = np.stack([slow.ravel(), (level - slow).ravel()], axis=1)
    return spike_probability(model, latent, tau, paths=paths).reshape(slow.shape)


def _shown(model: MarketModel, watched: Orders, seconds: int, sight: Sight) -> _Shown:
    count = int(np.searchsorted(watched.second, seconds))
    second, place_s = watched.second[:count], watched.place_s[:count]
    first = np.searchsorted(second, np.arange(seconds + 1))
    opens = np.append(True, np.diff(second) > 0)[:count]
    last = np.append(np.diff(second) > 0, True)[:count]
    wait_s = place_s - np.where(opens, 0.0, np.roll(place_s, 1))
    rest_s = np.ones(seconds)
    rest_s[second[last]] -= place_s[last]
    square = np.full(count, np.nan)
    weighed = np.flatnonzero(last | sight.every_return)
    square[weighed[1:]] = (np.diff(watched.log_mid[weighed]) / model.volatility) ** 2
    return _Shown(
        first=first,
        wait_s=wait_s,
        rest_s=rest_s,
        excitation=_excitation(model, second + place_s),
        square=square,
        widening=np.bincount(second, watched.spread[:count] - 1, seconds).astype(np.int64),
        rounding=watched.rounding / model.volatility**2,
    )


@compiled
def _excitation(model: MarketModel, time_s: Float64) -> Any:
    """(n,): what the orders before each have added to the rate of orders as it comes, 1/s."""
    excitation = np.empty(len(time_s))
    # In the mean, each order before the first second has excited `branching` others.
    now = order_rate(model, 0.0) * model.branching / (1.0 - model.branching)
    before_s = 0.0
    for i in range(len(time_s)):
        now *= np.exp((before_s - time_s[i]) / model.excitation_time_s)
        excitation[i] = now
        now += model.branching / model.excitation_time_s
        before_s = time_s[i]
    return excitation


@compiled
def _start(model: MarketModel, products: int, particles: int, rng: np.random.Generator) -> Any:
    """(3, products, particles): slow and jump from their stationary law, no variance unseen."""
    cloud = np.zeros((3, products, particles))
    share = model.common_share
    for i in range(particles):
        common = np.sqrt(share) * rng.standard_normal()
        for product in range(products):
            own = np.sqrt(1.0 - share) * rng.standard_normal()
            cloud[0, product, i] = model.slow_std * (common + own)
    for _ in range(int(10 * model.jump_time_s)):
        _jump(model, 1.0, cloud[1], np.empty(particles), rng)
    return cloud


@compiled
def _jump(
    model: MarketModel,
    eagerness: float,
    jump: Float64,
    log_weight: Float64,
    rng: np.random.Generator,
) -> None:
    """One second of jumps, `eagerness` times too many, each at as much less weight.

    The cloud's number is drawn, then whom each hits: the law of a number for each. That a particle
    is spared weighs the same for all.
    """
    products, particles = jump.shape
    jump *= np.exp(-1.0 / model.jump_time_s)
    rate = eagerness * particles * model.jump_rate_per_s
    for _ in range(rng.poisson(rate * model.common_share)):
        i = rng.integers(0, particles)
        jump[:, i] += model.jump_mean * rng.standard_exponential()
        log_weight[i] -= np.log(eagerness)
    for product in range(products):
        for _ in range(rng.poisson(rate * (1.0 - model.common_share))):
            i = rng.integers(0, particles)
            jump[product, i] += model.jump_mean * rng.standard_exponential()
            log_weight[i] -= np.log(eagerness)


@compiled
def _drift(model: MarketModel, slow: Float64, rng: np.random.Generator) -> None:
    """One second of slow."""
    a = np.exp(-1.0 / model.slow_time_s)
    scale = model.slow_std * np.sqrt(1.0 - a * a)
    common = scale * np.sqrt(model.common_share)
    own = scale * np.sqrt(1.0 - model.common_share)
    products, particles = slow.shape
    for i in range(particles):
        shared = common * rng.standard_normal()
        for product in range(products):
            news = shared + own * rng.standard_normal()
            slow[product, i] = a * slow[product, i] + news


@compiled
def _follow(
    model: MarketModel,
    sight: Sight,
    shown: Any,
    cloud: Float64,
    lowest: Int64,
    tables: Float64,
    rng: np.random.Generator,
    out: Float64,
) -> None:
    """Every second: move, weigh, say, and resample where it is time. Fills `out`."""
    products, particles = cloud.shape[1:]
    log_weight = np.zeros(particles)
    for second in range(len(out)):
        _drift(model, cloud[0], rng)
        _jump(model, EAGERNESS, cloud[1], log_weight, rng)
        for product in range(products):
            _weigh(model, sight, shown[product], second, cloud[:, product], log_weight)
        log_weight -= log_weight.max()
        weight = np.exp(log_weight)
        weight /= weight.sum()
        for product in range(products):
            state = cloud[:, product]
            _say(state, weight, lowest, tables[product], out[second, product])
        if particles * np.sum(weight * weight) > 2.0:
            priority = weight**PRIORITY
            priority /= priority.sum()
            chosen = _systematic(priority, rng)
            for part in range(3):
                for product in range(products):
                    cloud[part, product] = cloud[part, product][chosen]
            log_weight[:] = (1.0 - PRIORITY) * log_weight[chosen]


@compiled
def _weigh(
    model: MarketModel, sight: Sight, shown: Any, second: int, state: Float64, log_weight: Float64
) -> None:
    """Add the log-likelihood of what one product showed in a second; keep the unseen variance.

    The integral of the excitation is common to all particles and left out. A spread above one
    increment is geometric, as `simulator` draws it.
    """
    first, stop = shown.first[second], shown.first[second + 1]
    for i in range(len(log_weight)):
        deviation = state[0, i] + state[1, i]
        variance = np.exp(deviation)
        base = order_rate(model, deviation)
        unseen, log_likelihood = state[2, i], 0.0
        for order in range(first, stop):
            unseen += variance * shown.wait_s[order]
            if sight.arrivals:
                log_likelihood += np.log(base + shown.excitation[order])
            square = shown.square[order]
            if not np.isnan(square):
                expected = unseen + shown.rounding
                log_likelihood -= 0.5 * (np.log(expected) + square / expected)
                unseen = 0.0
        if sight.arrivals:
            log_likelihood -= base
        if sight.spreads and stop > first and model.spread_tail > 0.0:
            wider = min(model.spread_tail * np.sqrt(variance), 0.9)
            log_likelihood += shown.widening[second] * np.log(wider)
            log_likelihood += (stop - first) * np.log(1.0 - wider)
        state[2, i] = unseen + variance * shown.rest_s[second]
        log_weight[i] += log_likelihood


@compiled
def _say(state: Float64, weight: Float64, lowest: Int64, tables: Float64, out: Float64) -> None:
    """(k,): the weighted mean of each table at the particles' slow and level."""
    _, levels, slows = tables.shape
    out[:] = 0.0
    for i in range(len(weight)):
        right = state[0, i] / SLOW_STEP - lowest[0]
        right = min(max(right, 0.0), slows - 1.001)
        down = (state[0, i] + state[1, i]) / LEVEL_STEP - lowest[1]
        down = min(max(down, 0.0), levels - 1.001)
        column, row = int(right), int(down)
        right -= column
        down -= row
        for k in range(len(tables)):
            upper = tables[k, row, column] * (1 - right) + tables[k, row, column + 1] * right
            lower = (
                tables[k, row + 1, column] * (1 - right) + tables[k, row + 1, column + 1] * right
            )
            out[k] += weight[i] * (upper * (1 - down) + lower * down)


@compiled
def _systematic(weight: Float64, rng: np.random.Generator) -> Any:
    """(n,): which particles go on, each as often as its weight says, to within one."""
    n = len(weight)
    chosen = np.empty(n, np.int64)
    place, cumulative = 0, weight[0]
    start = rng.random()
    for i in range(n):
        while (i + start) / n > cumulative and place < n - 1:
            place += 1
            cumulative += weight[place]
        chosen[i] = place
    return chosen
