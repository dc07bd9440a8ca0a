"""The best possible forecast from a market's observable data: the ceiling of any model.

`law.spike_probability` is the true probability given the latent state, which is not observable. A
particle filter tracks it: each particle is a possible latent state that moves by the market's law
and is weighted by its likelihood given the ticks. The mean of the true probability over the
particles is
the best forecast: apart from chance and the filter's noise, no model with the same data has a lower
log loss. Source: Gordon, Salmond and Smith (1993), IEE Proceedings F
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
"""Half-width of the lattice of slow, in standard deviations; values beyond count as its edge."""

HIGHEST = 8.0
"""Upper end of the lattice in log-variance above the typical one, far above any useful tau."""

EAGERNESS = 10.0
"""Factor by which particles jump too often, at correspondingly lower weight. Jumps are rare, and at
their true rate none of 1,000 particles would be near a jump when it shows.
"""

PRIORITY = 0.5
"""Particles are resampled by their weight to this power and keep the remaining factor, so that
low-weight particles, such as those that just jumped, survive until the data can confirm them.
"""


class Sight(NamedTuple):
    """Which observations the filter uses, beyond the return of each second with an order."""

    arrivals: bool = True
    """Arrival times: the likelihood of a Hawkes process, exact but for orders before the start."""
    every_return: bool = True
    """Returns from order to order instead of from second to second."""
    spreads: bool = True
    """The spread after each order."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the filter; `paths` sets the accuracy of `spike_probability`."""

    sight: Sight = Sight()
    particles: int = 1000
    paths: int = 4000
    seed: int = 0


FILTER = Filter()


class Orders(NamedTuple):
    """The observed orders of one product; trades with the same time are one order.

    `second` counts from the start and is non-decreasing, `place_s` is the time within it. `log_mid`
    and `spread` (in increments) are of the quotes after the order; `rounding` is the variance that
    the price increment adds to a return.
    """

    second: Int64
    place_s: Float64
    log_mid: Float64
    spread: Int64
    rounding: float


class _Shown(NamedTuple):
    """Observations as particles are weighted by them; variances relative to a typical second."""

    first: Int64
    """(seconds + 1,): the first order of each second."""
    wait_s: Float64
    """Time since the previous order or the start of the second."""
    rest_s: Float64
    """(seconds,): time left in a second after its last order."""
    excitation: Float64
    """Rate that earlier orders add at the time of this one, 1/s."""
    square: Float64
    """Squared return since the last weighted order; NaN if not weighted."""
    widening: Int64
    """(seconds,): sum of the second's spreads above one increment, in increments."""
    rounding: float


def orders(
    events: Iterable[MarketEvent], products: Sequence[str], start_s: int, increment: float
) -> list[Orders]:
    """The orders of each product in `events` from `start_s` on. Raises BadInputError if none."""
    seen: dict[str, list[tuple[int, float, float]]] = {product: [] for product in products}
    for event in events:
        if isinstance(event, Print) and event.product in seen:
            quotes = seen[event.product]
            if not quotes or event.time_ns > quotes[-1][0]:
                quotes.append((event.time_ns, float(event.bid), float(event.ask)))
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
    """The probability of a spike after each second, given all observations up to its end.

    `watched`: products of one market, which share news, so each informs about the others. `tau`:
    (products, k) spike thresholds. Returns (products, seconds, k) float64 in [0, 1]. Deterministic.
    Raises BadInputError for fewer than two particles or a missing product in `tau`.

    A bootstrap filter: particles start from the stationary law, jump more often than it
    (`EAGERNESS`), and are resampled systematically when the effective sample size is below half
    their number.
    Weights are exact with these exceptions: rounding of the mid is treated as independent noise,
    orders before the start enter by their mean, and without `arrivals` the times of returns carry
    no information. The true probability averages over the age of the last order, which is
    observable.
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
    # Rounding may lift a mean of ones above 1.
    return np.ascontiguousarray(np.minimum(out, 1.0).transpose(1, 0, 2))


def _slow_nodes(model: MarketModel) -> Int64:
    end = int(np.ceil(FURTHEST * model.slow_std / SLOW_STEP)) + 1
    return np.arange(-end, end + 1)


def _level_nodes(model: MarketModel) -> Int64:
    lowest = int(np.floor(-FURTHEST * model.slow_std / LEVEL_STEP)) - 1
    return np.arange(lowest, int(HIGHEST / LEVEL_STEP) + 1)


def _table(model: MarketModel, tau: float, paths: int) -> Float64:
    """(levels, slows): the true probability on the lattice, for linear interpolation."""
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
    """(n,) rate that earlier orders add at the time of each order, 1/s."""
    excitation = np.empty(len(time_s))
    # Start from the mean excitation.
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
    """(3, products, particles): slow and jump from their stationary law, unobserved variance 0."""
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
    """Apply one second of jumps, `eagerness` times too many, each at correspondingly lower weight.

    The total number is drawn first, then the particle of each jump, which has the law of
    independent numbers per particle. The weight of not jumping is common to all and left out.
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
    """Advance slow by one second."""
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
    """Run the filter: move, weight, forecast and resample every second. Fills `out`."""
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
    """Add the log-likelihood of one product's second; update the unobserved variance.

    The integral of the excitation is common to all particles and left out. Spreads above one
    increment are geometric, as in `market`.
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
    """Fill `out` (k,) with the weighted mean of each table at the particles' slow and level."""
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
    """(n,) indices of the resampled particles; counts match the weights to within one."""
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
