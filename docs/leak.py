"""Draws `leak.svg`: what shuffled rows find in a market in which there is nothing to predict.

`make leak` runs it; it takes a minute.
"""

import dataclasses
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from simulated_table import simulated_table

from barograph.cases.case import Case, SplitKind, Table
from barograph.cases.spikes import SPIKES
from barograph.evaluation import scores
from barograph.evaluation.splits import Fold
from barograph.learning.candidates import Boosting
from barograph.training.pooled import Pooled
from barograph.training.walkforward import Training, walk
from barograph.types import Interval

HOURS, SEED = 4, 1
NAMES = ("persistence", "ridge", "lightgbm_regression")
BIG = Boosting(rounds=100, learning_rate=0.2, leaves=63, least_rows_in_leaf=5, l2=1.0)
"""What a tree library does when nobody holds it back."""


def shuffled(table: Table, folds: int, _split: SplitKind) -> tuple[SplitKind, list[Fold]]:
    """The same number of folds, of rows in any order."""
    rows = np.random.default_rng(SEED).permutation(len(table.order))
    made = []
    for test in np.array_split(rows, folds):
        train = np.sort(np.setdiff1d(rows, test))
        held = np.array_split(np.random.default_rng(SEED).permutation(train), 2)
        inner = tuple((np.setdiff1d(train, part), np.sort(part)) for part in held)
        made.append(Fold(train=train, test=np.sort(test), inner=inner))
    return "walk-forward", made


def scores_under(case: Case, table: Table) -> tuple[dict[str, Interval], float]:
    """PR-AUC of each model under the case's split, and the base rate."""
    greedy = dataclasses.replace(
        case,
        stride=1,
        candidates=lambda features: tuple(
            one.varied(BIG) if one.name == "lightgbm_regression" else one
            for one in case.candidates(features)
            if one.name in NAMES
        ),
    )
    how = Training(folds=3, resamples=200)
    pooled = Pooled(walk(greedy, table, how), how)
    intervals_of = {name: pooled.interval(name, scores.pr_auc) for name in NAMES}
    return intervals_of, pooled.base_rate.estimate


def draw(panels: dict[str, tuple[dict[str, Interval], float]], target: Path) -> None:
    """Bars with intervals, the base rate as a line."""
    mpl.rcParams |= {"svg.hashsalt": "barograph", "svg.fonttype": "none", "font.size": 10}
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (title, (intervals, base_rate)) in zip(axes, panels.items(), strict=True):
        values = [intervals[name].estimate for name in NAMES]
        off = [
            [intervals[name].estimate - intervals[name].low for name in NAMES],
            [intervals[name].high - intervals[name].estimate for name in NAMES],
        ]
        ax.bar(NAMES, values, yerr=off, capsize=4, color="#4477aa")
        ax.axhline(base_rate, color="#cc3311", linestyle="--", label=f"base rate {base_rate:.2f}")
        ax.set_title(title, fontsize=10)
        ax.legend(frameon=False, loc="upper left")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("PR-AUC, 95 % interval")
    axes[0].set_ylim(0, 1)
    figure.savefig(target, metadata={"Date": None})


def main() -> None:
    """Simulate, train twice, draw."""
    with tempfile.TemporaryDirectory() as home:
        table = simulated_table(Path(home), "constant", ["BTC-USD"], seed=SEED, hours=HOURS)
    leaky = dataclasses.replace(SPIKES, split=shuffled)
    panels = {
        "walk-forward, purged, embargo": scores_under(SPIKES, table),
        "the same rows, shuffled": scores_under(leaky, table),
    }
    draw(panels, Path(__file__).with_name("leak.svg"))


if __name__ == "__main__":
    main()
