"""The law of the simulated market, and the true spike probability given its latent state.

Per product the log-variance of one second is 2 log(volatility) + slow + jump, stepped each second:

    slow(s+1) = a·slow(s) + slow_std·√(1 − a²)·z,       a = exp(−1 s / slow_time_s)
    jump(s+1) = b·jump(s) + Σ exponential sizes,        b = exp(−1 s / jump_time_s)

with a Poisson number of jumps per second. Both steps are exact for the Ornstein-Uhlenbeck process
and the shot noise (except for the time of a jump within its second). The log mid is a diffusion
with that variance. Orders arrive as a Hawkes process with exponential kernel whose base rate rises
with the variance. Sources: Barndorff-Nielsen and Shephard (2001), JRSS B 63(2); Hawkes (1971),
Biometrika 58(1); Ogata (1981), IEEE Trans. Inf. Theory 27(1).
"""

from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from barograph.arrays import Float64, Int64
from barograph.compiled import compiled
from barograph.errors import BadInputError

BUSIEST = 20.0
"""Upper bound on the factor by which variance raises the base rate of orders."""

LEVEL_STEP, SLOW_STEP = 0.05, 0.125
"""Lattice steps of the true probability, in log-variance."""
SETTLE_S = 120
"""Seconds until arrivals that start empty are stationary, for every allowed kernel."""


class MarketModel(NamedTuple):
    """The parameters of one market; the defaults are the preset `market`. All are floats.

    A NamedTuple, because compiled functions accept it.
    """

    volatility: float = 4e-5
    """Standard deviation of a one-second log return if slow and jump are zero."""
    slow_std: float = 0.25
    """Stationary deviation of the slow part of log-variance."""
    slow_time_s: float = 900.0
    jump_rate_per_s: float = 1 / 300
    jump_mean: float = 0.95
    """Mean of a jump in log-variance; below 1, or the mean variance would be infinite."""
    jump_time_s: float = 60.0
    common_share: float = 0.5
    """Share of slow variance and of jumps that is common to all products."""
    order_rate_per_s: float = 1.0
    """Base rate of orders if slow and jump are zero, without excited ones."""
    rate_elasticity: float = 0.4
    """The base rate is proportional to variance to this power, up to `BUSIEST` times."""
    branching: float = 0.4
    """Mean number of orders that one order excites directly; below 1."""
    excitation_time_s: float = 2.0
    sweep: float = 0.15
    """Probability that an order fills one more resting order: one more trade at the same time."""
    side_persistence: float = 0.83
    """Probability that an order is on the side of the previous one."""
    spread_tail: float = 0.25
    """Probability of each further spread increment, times the square root of relative variance."""
    size_log_mean: float = -7.0
    size_log_std: float = 2.0
    """Standard deviation of the natural logarithm of a trade's size."""

    def moment(self, power: float) -> float:
        """Stationary mean of exp(power·(slow + jump)); infinite if power·jump_mean ≥ 1."""
        if power * self.jump_mean >= 1:
            return float("inf")
        age_s = np.arange(40 * self.jump_time_s)
        size = power * self.jump_mean * np.exp(-age_s / self.jump_time_s)
        log_jump = self.jump_rate_per_s * np.sum(size / (1 - size))
        with np.errstate(over="ignore"):
            return float(np.exp((power * self.slow_std) ** 2 / 2 + log_jump))

    def trades_per_s(self) -> float:
        """Stationary mean rate of trades, ignoring the cap at `BUSIEST`."""
        orders = self.order_rate_per_s * self.moment(self.rate_elasticity) / (1 - self.branching)
        return orders / (1 - self.sweep)


PRESETS = {
    "market": MarketModel(),
    "constant": MarketModel(
        slow_std=0.0,
        jump_rate_per_s=0.0,
        common_share=0.0,
        order_rate_per_s=2.4,
        rate_elasticity=0.0,
        branching=0.0,
        sweep=0.0,
    ),
}
"""`market` is predictable. `constant` is not: every honest PR-AUC is the base rate."""


def check_model(model: MarketModel) -> MarketModel:
    """Return the model with float parameters. Raises BadInputError without a stationary law."""
    model = MarketModel(*map(float, model))
    positive = ("volatility", "slow_time_s", "jump_time_s", "order_rate_per_s", "excitation_time_s")
    below_one = ("jump_mean", "branching", "sweep", "spread_tail")
    for name, value in model._asdict().items():
        if not np.isfinite(value) or (value < 0 and name != "size_log_mean"):
            why, cure = f"{value} is not a number of at least 0", "Choose one"
        elif name in positive and value == 0:
            why, cure = "it is 0", "Choose one above 0"
        elif name in below_one and value >= 1:
            why, cure = f"{value} explodes", "Choose one below 1"
        elif name in {"common_share", "side_persistence"} and value > 1:
            why, cure = f"{value} is not a share", "Choose one from 0 to 1"
        elif name == "excitation_time_s" and value > SETTLE_S / 10:
            why, cure = f"{value} s is too long a memory", f"Choose at most {SETTLE_S / 10:g} s"
        elif name == "volatility" and value > 0.01:
            why, cure = f"{value} a second leaves no price", "Choose at most 0.01"
        else:
            continue
        raise BadInputError(f"market model, {name}", why, cure)
    if model.rate_elasticity * model.jump_mean >= 1:
        raise BadInputError(
            "market model, rate_elasticity", "the mean rate is infinite", "Choose a smaller one"
        )
    return model


@compiled
def innovations(model: MarketModel, share: float, seconds: int, rng: np.random.Generator) -> Any:
    """(seconds, 2): a `share` of each second's innovations; independent shares add up.

    Column 0 is normal with variance `share`, column 1 the sum of the second's jumps.
    """
    news = np.empty((seconds, 2))
    for i in range(seconds):
        news[i, 0] = np.sqrt(share) * rng.standard_normal()
        news[i, 1] = 0.0
        for _ in range(rng.poisson(model.jump_rate_per_s * share)):
            news[i, 1] += model.jump_mean * rng.standard_exponential()
    return news


@compiled
def walk(model: MarketModel, start: Float64, news: Float64) -> Any:
    """(seconds, 2): slow and jump of each second; `start` holds those of the second before."""
    a = np.exp(-1.0 / model.slow_time_s)
    b = np.exp(-1.0 / model.jump_time_s)
    scale = model.slow_std * np.sqrt(1.0 - a * a)
    slow, jump = start[0], start[1]
    path = np.empty(news.shape)
    for i in range(len(news)):
        slow = a * slow + scale * news[i, 0]
        jump = b * jump + news[i, 1]
        path[i, 0] = slow
        path[i, 1] = jump
    return path


@compiled
def order_rate(model: MarketModel, deviation: float) -> Any:
    """Base rate of orders, 1/s, at a log-variance of `deviation` above the typical one."""
    return model.order_rate_per_s * min(np.exp(model.rate_elasticity * deviation), BUSIEST)


@compiled
def next_order(
    base: float, excitation: float, memory_s: float, left_s: float, rng: np.random.Generator
) -> Any:
    """(seconds until the next order, excitation then); exactly (left_s, …) if none comes first.

    Ogata's thinning: the intensity base + excitation only decreases between orders, so its current
    value bounds it. Excitation is in 1/s and excludes the contribution of the next order itself.
    """
    waited = 0.0
    while True:
        bound = base + excitation
        wait = rng.standard_exponential() / bound
        if waited + wait >= left_s:
            return left_s, excitation * np.exp((waited - left_s) / memory_s)
        waited += wait
        excitation *= np.exp(-wait / memory_s)
        if rng.random() * bound <= base + excitation:
            return waited, excitation


class LatentVolatility:
    """Slow and jump of several products, a function of (model, products, seed) alone.

    A product's path depends on its name and the seed, not on the other products.
    """

    def __init__(self, model: MarketModel, products: tuple[str, ...], seed: int) -> None:
        self._model = check_model(model)
        self._rngs = [generator(seed, "latent")]
        self._rngs += [generator(seed, "latent", product) for product in products]
        first = np.array([rng.standard_normal() for rng in self._rngs])
        share = self._model.common_share
        slow = np.sqrt(share) * first[0] + np.sqrt(1 - share) * first[1:]
        self._state = np.stack([self._model.slow_std * slow, np.zeros(len(products))], axis=1)
        if self._model.jump_rate_per_s:
            self.advance(int(10 * self._model.jump_time_s))

    def advance(self, seconds: int) -> Float64:
        """(products, seconds, 2): slow and jump of the next `seconds` seconds."""
        model, share = self._model, self._model.common_share
        common = innovations(model, share, seconds, self._rngs[0])
        paths = np.empty((len(self._state), seconds, 2))
        for product, rng in enumerate(self._rngs[1:]):
            news = common + innovations(model, 1 - share, seconds, rng)
            paths[product] = walk(model, self._state[product], news)
        if seconds:
            self._state = paths[:, -1].copy()
        return paths


def generator(seed: int, *names: str) -> np.random.Generator:
    """An independent random generator for each combination of seed and names."""
    key = tuple(crc32(name.encode()) for name in names)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


@compiled
def _last_order_s(
    model: MarketModel, deviation: float, seconds: int, rng: np.random.Generator
) -> Any:
    """(seconds,): time of the last order within each second, 0 for none, at constant base rate."""
    base = order_rate(model, deviation)
    last = np.zeros(seconds)
    excitation = 0.0
    for i in range(-SETTLE_S, seconds):
        now, ordered = 0.0, True
        while ordered:
            left_s = 1.0 - now
            wait, excitation = next_order(base, excitation, model.excitation_time_s, left_s, rng)
            ordered = wait < left_s
            now += wait
            if ordered:
                excitation += model.branching / model.excitation_time_s
                if i >= 0:
                    last[i] = now
    return last


@compiled
def _seen(growth: Float64, squares: Float64, last_s: Float64) -> Any:
    """(paths, horizon + 1): contribution of unit variance in each second to the sum of squares.

    The diffusion up to a second's last order enters the return of that second, the rest the return
    of the next second with an order, if the horizon has one. Column 0 is for the variance of the
    previous second, times the age of its last order.
    """
    paths, horizon = growth.shape
    seen = np.empty((paths, horizon + 1))
    for path in range(paths):
        later = 0.0
        for k in range(horizon, 0, -1):
            share = last_s[path + k]
            square = squares[path, k - 1]
            seen[path, k] = growth[path, k - 1] * (share * square + (1.0 - share) * later)
            if share > 0.0:
                later = square
        age_s, second = 1.0 - last_s[path], path
        while second > 0 and last_s[second] == 0.0:
            second -= 1
            age_s += 1.0 - last_s[second]
        seen[path, 0] = age_s * later
    return seen


def spike_probability(
    model: MarketModel, latent: Float64, tau: float, *, horizon_s: int = 60, paths: int = 20_000
) -> Float64:
    """True probability that the next `horizon_s` seconds are a spike, for each latent state.

    `latent` (n, 2) holds slow and jump in force in second s; the event is that the root mean square
    of the one-second log returns of the quotes' mid over s+1 … s+horizon_s reaches `tau`. out: (n,)
    float64 in [0, 1], the ceiling for any predictor. Deterministic: its draws have a fixed seed.

    On a lattice of slow and slow + jump the sum of squares is linear in noise that does not depend
    on the state, so the same `paths` draws serve every node, and a state's value does not depend on
    the other states. Standard error of a value p: √(p(1 − p)/paths), at most 0.0035 by default, and
    common to neighbouring states; interpolation adds at most 0.004.

    The age of the last order at the end of second s is averaged over: one second more adds
    1/horizon_s to the expected sum of squares. The order rate is held at its typical mean over the
    horizon, and rounding of mids is ignored. Full simulations from seven states, 60,000 to 300,000
    each, agreed within 0.005.
    """
    model = check_model(model)
    slow, level = latent[:, 0], latent.sum(axis=1)
    column, columns = _lattice(slow, SLOW_STEP)
    row, rows = _lattice(level, LEVEL_STEP)
    decay, growth, squares = _noise(model, horizon_s, paths, generator(0, "truth"))
    wanted = horizon_s * (tau / model.volatility) ** 2
    slow_nodes = columns * SLOW_STEP
    table = np.empty((len(rows), len(columns)))
    for i, level_node in enumerate(rows * LEVEL_STEP):
        rng = generator(0, "orders", str(rows[i]))
        # A high level is mostly jump, a low one mostly slow, which decay at different rates.
        held = decay[1 if level_node > 0 else 0].mean() * level_node
        seen = _seen(growth, squares, _last_order_s(model, held, paths + horizon_s, rng))
        log_weight = np.outer(slow_nodes, decay[0]) + np.outer(level_node - slow_nodes, decay[1])
        table[i] = np.mean(seen @ np.exp(log_weight).T >= wanted, axis=0)
    down, right = level / LEVEL_STEP - rows[row], slow / SLOW_STEP - columns[column]
    upper = table[row, column] * (1 - right) + table[row, column + 1] * right
    lower = table[row + 1, column] * (1 - right) + table[row + 1, column + 1] * right
    return upper * (1 - down) + lower * down


def _lattice(values: Float64, step: float) -> tuple[Int64, Int64]:
    """(index of the node at or below each value, nodes around the values as multiples of `step`).

    The following node is the one above.
    """
    below = np.floor(values / step).astype(np.int64)
    nodes = np.union1d(below, below + 1)
    return np.searchsorted(nodes, below), nodes


def _noise(
    model: MarketModel, horizon_s: int, paths: int, rng: np.random.Generator
) -> tuple[Float64, Float64, Float64]:
    """The noise over the horizon, which is independent of the state.

    Returns the remaining shares of slow and jump (2, horizon + 1), the variance factors of later
    innovations (paths, horizon), and squared normals (paths, horizon).
    """
    ahead_s = np.arange(horizon_s + 1)
    decay = np.exp(-np.outer([1 / model.slow_time_s, 1 / model.jump_time_s], ahead_s))
    growth = np.empty((paths, horizon_s))
    for path in range(paths):
        news = innovations(model, 1.0, horizon_s, rng)
        growth[path] = np.exp(walk(model, np.zeros(2), news).sum(axis=1))
    return decay, growth, rng.standard_normal((paths, horizon_s)) ** 2
