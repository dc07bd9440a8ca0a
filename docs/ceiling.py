"""Prints how much models find of what can be known, as `evaluation.md` quotes it.

    python docs/ceiling.py [--seeds 1 2 3] [--hours 12]

On a simulated market the true probability of a spike is known, to one who knows its latent state.
Printed is the share of the way from persistence to it, in log loss on the test rows of a walk
forward: of the best candidate, of what was chosen, and of two particle filters that know the law
of the market and watch it (`src/barograph/simulated/ceiling.py`). `make ceiling` runs it with three
seeds of 12 hours, which takes a processor some ten minutes each.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from simulated_table import START_S, simulated_table

from barograph.arrays import Float64
from barograph.cases.spikes import SPIKES
from barograph.evaluation import scores
from barograph.simulated.ceiling import Filter, Sight, forecast, orders
from barograph.simulated.law import PRESETS, spike_probability
from barograph.simulated.market import INCREMENT, SimulatedMarket
from barograph.training.pooled import Pooled
from barograph.training.walkforward import CHOSEN, Training, Walk, walk
from barograph.types import NS_PER_S

MARKET, PRODUCTS = PRESETS["market"], ("BTC-USD", "ETH-USD")
SIGHTS = (Sight(), Sight(arrivals=False, every_return=False, spreads=False))
HEADER = ("seed", "best candidate", "chosen", "hears every order", "hears one-second returns")


def shares(seed: int, hours: int) -> list[float]:
    """The share of the way from persistence to the truth of each column of the table."""
    with tempfile.TemporaryDirectory() as home:
        table = simulated_table(Path(home), "market", PRODUCTS, seed=seed, hours=hours)
    how = Training(resamples=2)
    walked = walk(SPIKES, table, how)
    pooled = Pooled(walked, how)

    def loss(probability: Float64) -> float:
        return scores.log_loss(pooled.y, probability)

    losses = {name: loss(probability) for name, probability in pooled.probability.items()}
    candidates = set(losses) - set(pooled.baselines) - {CHOSEN}
    worst, least = losses["persistence"], loss(truth(walked, seed, hours))
    reached = [
        min(losses[name] for name in candidates),
        losses[CHOSEN],
        *(loss(filtered(walked, seed, hours, sight)) for sight in SIGHTS),
    ]
    return [(worst - each) / (worst - least) for each in reached]


def truth(walked: Walk, seed: int, hours: int) -> Float64:
    """The true probability of each test row."""
    market = watched(seed)
    for _ in market.events(hours * 3600):
        pass
    latents = [each.latent for each in market.truth().values()]
    taus_of = thresholds(walked)
    by_second = [
        np.stack([spike_probability(MARKET, latent, tau, paths=4000) for tau in taus], axis=1)
        for latent, taus in zip(latents, taus_of, strict=True)
    ]
    return of_test_rows(walked, np.stack(by_second))


def filtered(walked: Walk, seed: int, hours: int, sight: Sight) -> Float64:
    """What one who watches the market says of each test row, at the end of its second."""
    seconds = hours * 3600
    shown = orders(watched(seed).events(seconds), PRODUCTS, START_S, INCREMENT)
    forecasts = forecast(MARKET, shown, thresholds(walked), seconds, Filter(sight=sight))
    return of_test_rows(walked, forecasts)


def watched(seed: int) -> SimulatedMarket:
    """The market that the rows are of, at its beginning."""
    return SimulatedMarket(MARKET, PRODUCTS, seed, START_S * NS_PER_S)


def thresholds(walked: Walk) -> Float64:
    """(products, folds): the volatility from which a minute is a spike."""
    return np.array([[q.target.tau[product] for q in walked.questions] for product in PRODUCTS])


def of_test_rows(walked: Walk, by_second: Float64) -> Float64:
    """Of (products, seconds, folds), one value for each test row of the folds in order."""
    table = walked.table
    place = np.array([PRODUCTS.index(key) for key in table.keys])
    parts = []
    for fold, question in enumerate(walked.questions):
        test = question.fold.test
        parts.append(by_second[place[table.key[test]], table.order[test] - START_S, fold])
    return np.concatenate(parts)


def as_table(rows: Sequence[tuple[int, list[float]]]) -> str:
    """Markdown; shares in percent."""
    lines = [f"| {' | '.join(HEADER)} |", "|---:" * len(HEADER) + "|"]
    for seed, reached in rows:
        lines.append(f"| {seed} | {' | '.join(f'{share:.0%}' for share in reached)} |")
    return "\n".join(lines).replace("%", " %") + "\n"


def main() -> None:
    """Simulate, train and watch; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--hours", type=int, default=12)
    chosen = parser.parse_args()
    print(as_table([(seed, shares(seed, chosen.hours)) for seed in chosen.seeds]), end="")


if __name__ == "__main__":
    main()
