"""Prints what more would help on recorded sessions and what would not, as decision 0076 quotes it.

    python docs/more_skill.py HOME [--other HOME] [--candles FILE]

HOME has a dataset of spikes with three regimes or more; the other home has one of other venues,
whose rows are only trained on; the file has hourly candles. Every forecast is of rows that its fit
has not seen, in the folds of `train`, and stands beside the mean of the windows, which the case
starts from. Differences have paired intervals by blocks; a star says that one does not hold 0.
Probabilities are a logistic curve of the forecast over tau, fitted on the tests of the other folds,
so that log losses compare forecasts and not their error laws. Takes a processor five minutes.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from more_columns import GROUPS, rows_of
from sklearn.linear_model import LogisticRegression

from barograph.arrays import Float64, Int64
from barograph.cases import series, spikes
from barograph.cases.case import Table
from barograph.cases.spikes import SPIKES
from barograph.evaluation import bootstrap, scores, splits
from barograph.evaluation.bootstrap import Resampled
from barograph.evaluation.gate import wide
from barograph.learning import candidates
from barograph.learning.candidates import Candidate
from barograph.learning.examples import Examples
from barograph.learning.fitted import sigmoid
from barograph.learning.relative import VOL_FLOOR, Ratio, Relative
from barograph.registry.model import TAU
from barograph.training.walkforward import Question, Training, questions_of, tests_of

RESAMPLES, HORIZON_S = 300, SPIKES.horizon_s
CASE = replace(
    SPIKES,
    split=partial(series.split, horizon_s=HORIZON_S, embargo_s=spikes.LONGEST_WINDOW_S),
)
"""The case on tables with more columns than its own."""

Forecast = tuple[str, Float64]
"""A name, and ln v (n,) of the tested rows."""


class Tests:
    """The tested rows of all folds, and what fits without them forecast for them."""

    def __init__(self, table: Table, other: Table | None) -> None:
        self.table, self.other = table, other
        _, self.questions = questions_of(CASE, table, Training())
        self.rows, self.y = tests_of(self.questions)
        sizes = [len(question.fold.test) for question in self.questions]
        self.fold = np.repeat(np.arange(len(sizes)), sizes)
        self.log_outcome = np.log(np.maximum(table.outcome[self.rows], VOL_FLOOR))
        self.log_tau = np.concatenate([self._log_tau(question) for question in self.questions])
        second = table.order[self.rows]
        clock, place = np.unique(second, return_inverse=True)
        session = splits.sessions(clock, hole_s=HORIZON_S)[place]
        self.resamples = bootstrap.resamples(second, session, count=RESAMPLES)
        self.base = tuple(name for name in spikes.BASE if name in table.features)

    def _log_tau(self, question: Question) -> Float64:
        tau = np.array([question.target.tau[key] for key in self.table.keys])
        out: Float64 = np.log(tau)[self.table.key[question.fold.test]]
        return out

    def column(self, name: str) -> Float64:
        """(n,) a column of the tested rows."""
        return self.table.columns((name,), self.rows)[:, 0].astype(np.float64)

    @cached_property
    def mean(self) -> Float64:
        """(n,) the mean log volatility of the case's windows."""
        logs = [np.log(np.maximum(self.column(name), VOL_FLOOR)) for name in self.base]
        out: Float64 = np.mean(logs, axis=0)
        return out

    def fitted(self, candidate: Candidate, *, panel: bool = False) -> Float64:
        """(n,) ln v by a regression, fitted for each fold on its training rows.

        panel: whether on those of the other venues, too, each regime with its usual weight.
        """
        parts = []
        for question in self.questions:
            examples = self._examples(question, candidate, panel=panel)
            x = question.target.columns(self.table, candidate.features, question.fold.test)
            volatility = candidate.grow(examples, 1).volatility(x)
            if volatility is None:
                raise TypeError(candidate.name)
            parts.append(np.log(np.maximum(volatility, VOL_FLOOR)))
        return np.concatenate(parts)

    def _examples(self, question: Question, candidate: Candidate, *, panel: bool) -> Examples:
        train = question.fold.train
        train = train[self.table.order[train] % SPIKES.stride == 0]
        own = question.target.examples(self.table, candidate.features, train)
        if not panel or self.other is None:
            return own
        other = self.other
        more = np.flatnonzero(other.order % SPIKES.stride == 0)
        target = SPIKES.target(other, more)
        added = target.examples(other, candidate.features, more)
        share = np.unique(other.regime[more]).size / np.unique(self.table.regime[train]).size
        weight = added.weight * share * len(own.y) / len(added.y)
        return Examples(
            np.vstack([own.x, added.x]),
            np.concatenate([own.y, added.y]),
            np.concatenate([own.outcome, added.outcome]),
            np.concatenate([own.weight, weight]),
        )

    def probability(self, forecast: Float64) -> Float64:
        """(n,) by a logistic curve of ln v over tau, fitted on the tests of the other folds."""
        over = (forecast - self.log_tau)[:, None]
        out = np.empty(len(over))
        for fold in range(len(self.questions)):
            test = self.fold == fold
            curve = LogisticRegression(C=1 / HORIZON_S).fit(over[~test], self.y[~test])
            out[test] = curve.predict_proba(over[test])[:, 1]
        return out


def regressions(tests: Tests, names: Sequence[str] = ()) -> tuple[Candidate, Candidate]:
    """Ridge and trees of the case on its scale-free columns, with these beside."""
    base = tests.base
    steps = [Ratio(short, long) for short, long in pairwise((spikes.SHORTEST, *base))]
    columns = (*steps, Ratio("observed_share_60s", floor=0.0))
    columns = (*columns, *(Ratio(name, floor=0.0) for name in names))
    ridge = candidates.least_squares(columns, base, name="ridge", prior_rows=spikes.RIDGE_ROWS)
    view = Relative.of(columns, *base, TAU)
    return ridge, candidates.lightgbm_regression(view, base, spikes.BOOSTING, varies=False)


def starts(tests: Tests) -> Iterator[Forecast]:
    """What forecasts may start from, nothing fitted but one level."""
    yield "mean of the case's windows", tests.mean
    yield "mean of root mean squares alone, 30 s to an hour", tests.column("rms")
    for name in (spikes.EWMA, "observed_vol_60s"):
        yield name, np.log(np.maximum(tests.column(name), VOL_FLOOR))
    har = candidates.har(tuple(f"observed_vol_{window_s}s" for window_s in (10, 60, 300)))
    yield "HAR", tests.fitted(har)
    off = tests.log_outcome - tests.mean
    levels = [off[tests.fold != fold].mean() for fold in range(len(tests.questions))]
    yield "mean and the level of the other sessions", tests.mean + np.array(levels)[tests.fold]


def combined(tests: Tests) -> Iterator[Forecast]:
    """Slopes and trees on top of the mean, whole and halved."""
    for candidate in regressions(tests):
        whole = tests.fitted(candidate)
        yield f"{candidate.name}", whole
        yield f"{candidate.name}, halfway from the mean", (whole + tests.mean) / 2
    steps = [Ratio(short, long) for short, long in pairwise((spikes.SHORTEST, *tests.base))]
    few = candidates.least_squares(steps, tests.base, name="few", prior_rows=1e4)
    yield "ridge of the windows alone, ten times the prior", tests.fitted(few)


def beside(tests: Tests) -> Iterator[Forecast]:
    """More columns: each group in ridge and trees."""
    for group, names in GROUPS.items():
        for candidate in regressions(tests, names):
            yield f"{candidate.name} with {group}", tests.fitted(candidate)


def panel(tests: Tests) -> Iterator[Forecast]:
    """Rows of other venues to fit on."""
    if tests.other is not None:
        for candidate in regressions(tests):
            yield f"{candidate.name} on other venues, too", tests.fitted(candidate, panel=True)


def online(tests: Tests) -> Iterator[Forecast]:
    """Weights, and a level, that follow the outcomes known by then."""
    windows = [np.log(np.maximum(tests.column(name), VOL_FLOOR)) for name in tests.base]
    ewma = np.log(np.maximum(tests.column(spikes.EWMA), VOL_FLOOR))
    models = [tests.mean, ewma, *(tests.fitted(each) for each in regressions(tests))]
    for what, experts in (("windows", np.stack(windows)), ("models", np.stack(models))):
        squared = (tests.log_outcome - experts) ** 2
        for rate, half_s in ((0.3, 3600), (1.0, 600), (1.0, 3600), (1.0, 21600), (3.0, 3600)):
            loss, _ = matured(tests, squared, half_s)
            weight = np.exp(-rate * (loss - loss.min(axis=0)))
            weight /= weight.sum(axis=0)
            name = f"{what} weighed by matured error, rate {rate:g}, half-life {half_s:,} s"
            yield name, (weight * experts).sum(axis=0)
    for what, start in (("mean", tests.mean), ("root mean squares", tests.column("rms"))):
        off = (tests.log_outcome - start)[None]
        for prior, half_s in ((10, 3600), (30, 3600), (30, 14400), (100, 14400)):
            total, count = matured(tests, off, half_s)
            name = f"{what} and the level of matured outcomes, prior {prior} minutes, {half_s:,} s"
            yield name, start + total[0] / (count + prior)


def matured(tests: Tests, loss: Float64, half_s: int) -> tuple[Float64, Float64]:
    """Sums (k, n) of a product's losses whose outcome is known by each row, and their count (n,).

    Each counts half after `half_s`, and a sixtieth of a row, as labels overlap. Every fold begins
    with nothing.
    """
    total, count = np.zeros(loss.shape), np.zeros(loss.shape[1])
    key, order = tests.table.key[tests.rows], tests.table.order[tests.rows]
    for fold in range(len(tests.questions)):
        for product in range(len(tests.table.keys)):
            of = np.flatnonzero((tests.fold == fold) & (key == product))
            of = of[np.argsort(order[of])]
            if len(of):
                total[:, of], count[of] = _discounted(loss[:, of], order[of], half_s)
    return total, count


def _discounted(loss: Float64, second: Int64, half_s: int) -> tuple[Float64, Float64]:
    growth = 2.0 ** ((second - second[0]) / half_s)
    known = np.searchsorted(second, second - HORIZON_S, side="right")
    sums = [
        np.concatenate([[0.0], np.cumsum(row * growth)])[known] / growth / HORIZON_S
        for row in (*loss, np.ones(len(second)))
    ]
    return np.stack(sums[:-1]), sums[-1]


def pooled(tests: Tests) -> Iterator[Forecast]:
    """Mean log odds of calibrated probabilities."""
    ewma = np.log(np.maximum(tests.column(spikes.EWMA), VOL_FLOOR))
    models = {"ewma": ewma, **{each.name: tests.fitted(each) for each in regressions(tests)}}
    odds = {name: _log_odds(tests.probability(each)) for name, each in models.items()}
    own = _log_odds(tests.probability(tests.mean))
    for name, each in odds.items():
        yield f"log odds of mean and {name}", (own + each) / 2
    yield "log odds of all four", (own + sum(odds.values())) / 4


def _log_odds(probability: Float64) -> Float64:
    out: Float64 = np.log(probability) - np.log1p(-probability)
    return out


def lines(tests: Tests) -> Iterator[str]:
    """The table in Markdown, a row at a time."""
    heads = ("forecast", "PR-AUC, less the mean's", "log loss", "log R²")
    yield f"| {' | '.join(heads)} |\n|---|---|---|---|"
    base = _measured(tests, tests.probability(tests.mean), tests.mean - tests.log_tau, tests.mean)
    for kind in (starts, combined, beside, panel, online):
        for name, forecast in kind(tests):
            of = _measured(tests, tests.probability(forecast), forecast - tests.log_tau, forecast)
            yield _line(name, of, base)
    # What has no forecast is ranked by its probability, which each fold calibrates for itself.
    own = tests.probability(tests.mean)
    base = _measured(tests, own, _log_odds(own), None)
    for name, odds in pooled(tests):
        yield _line(name, _measured(tests, sigmoid(odds), odds, None), base)


def _measured(
    tests: Tests, probability: Float64, ranking: Float64, forecast: Float64 | None
) -> list[Resampled | None]:
    """PR-AUC, log loss and log R² (None without a forecast), on the common resamples."""
    of_spikes = [(scores.pr_auc, np.exp(ranking)), (scores.log_loss, probability)]
    if forecast is None:
        return [*bootstrap.resampled_together(of_spikes, tests.y, tests.resamples), None]
    outcome = np.exp(tests.log_outcome)
    of_volatility = bootstrap.resampled(scores.log_r2, outcome, np.exp(forecast), tests.resamples)
    return [*bootstrap.resampled_together(of_spikes, tests.y, tests.resamples), of_volatility]


def _line(name: str, of: list[Resampled | None], base: list[Resampled | None]) -> str:
    cells = [name]
    for own, start in zip(of, base, strict=True):
        if own is None or start is None:
            cells.append("–")
            continue
        less = wide(own - start, 0.95)
        star = "*" if less.low > 0 or less.high < 0 else ""
        interval = f"{less.estimate:+.3f}{star} [{less.low:+.3f}, {less.high:+.3f}]"
        cells.append(f"{own.estimate:.3f}, {interval}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Read, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--other", type=Path)
    parser.add_argument("--candles", type=Path)
    asked = parser.parse_args()
    other = rows_of(asked.other, asked.candles) if asked.other else None
    tests = Tests(rows_of(asked.home, asked.candles), other)
    print(f"{len(tests.rows):,} rows, base rate {tests.y.mean():.3f}\n")
    for line in lines(tests):
        print(line, flush=True)


if __name__ == "__main__":
    main()
