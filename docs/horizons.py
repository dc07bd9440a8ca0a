"""Prints the skill of forecasts by horizon, as docs/evaluation.md quotes it.

    python docs/horizons.py RECORDING… [--home HOME] [--horizons SECONDS…]

Each horizon is a case of spikes on the same recordings: a dataset as of `barograph dataset` is
built in HOME where it is missing, each session is left out in turn as by `barograph train`, and
nothing is registered. A horizon takes some minutes. `make horizons RECORDINGS="…"` runs it.
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from barograph.cases.case import Case, Table
from barograph.cases.spikes import HORIZONS, SPIKES
from barograph.training import dataset
from barograph.training.pooled import Pooled, ScoreDifference, ScoreRow
from barograph.training.walkforward import CHOSEN, Training, walk
from barograph.types import Interval

CASES = {case.horizon_s: case for case in sorted((SPIKES, *HORIZONS), key=lambda c: c.horizon_s)}
HOW = Training(split="leave-session-out")
SCORES = ("horizon", "forecast", "PR-AUC", "log loss", "log R²", "within sessions")
TESTED = ("horizon", "sessions", "tested rows", "episodes", "blocks", "base rate", "chosen of all")


class Skill(NamedTuple):
    """The rows of both tables about a horizon."""

    scores: list[tuple[str, ...]]
    tested: tuple[str, ...]


def skill_of(home: Path, case: Case, recordings: Sequence[Path]) -> Skill:
    """The scores of the baselines to beat and of the choices, and what they are of."""
    if not dataset.paths(home, case)[1].exists():
        dataset.build(home, case, recordings=recordings)
    table = case.table(dataset.read(home, case).frame)
    walked = walk(case, table, HOW)
    pooled = Pooled(walked, HOW)
    scored = {row.name: row for row in pooled.score_rows()}
    baselines = [scored[name] for name in case.to_beat if name in scored]
    best = min(baselines, key=lambda row: row.log_loss.estimate)
    less = next(
        each for each in pooled.differences() if (each.name, each.minus) == (CHOSEN, best.name)
    )
    rows, horizon = pooled.rows, f"{case.horizon_s} s"
    scores: list[tuple[str, ...]] = [
        (horizon, row.name, *scores_of(row), f"{within_sessions(table, pooled, row.name):.3f}")
        for row in (*baselines, scored[CHOSEN])
    ]
    scores.append((horizon, f"chosen less {best.name}", *differences_of(less)))
    tested = (
        horizon,
        f"{len(walked.questions)}",
        f"{len(rows):,}",
        f"{case.events(table, rows, pooled.y)}",
        f"{len(np.unique(table.order[rows] // case.block))}",
        interval(pooled.base_rate),
        walked.final,
    )
    return Skill(scores, tested)


def scores_of(row: ScoreRow) -> tuple[str, str, str]:
    """PR-AUC, log loss and log R² of a forecast, with intervals."""
    r2 = "–" if row.log_r2 is None else interval(row.log_r2)
    return interval(row.pr_auc), interval(row.log_loss), r2


def within_sessions(table: Table, pooled: Pooled, name: str) -> float:
    """Log R² against the mean of each session and product, which a forecast cannot know."""
    rows = pooled.rows
    _, group = np.unique(
        np.stack([table.regime[rows], table.key[rows]]), axis=1, return_inverse=True
    )
    outcome = np.log(pooled.outcome)
    mean = np.bincount(group, outcome) / np.bincount(group)
    left = outcome - np.log(pooled.volatility[name])
    return float(1 - (left**2).sum() / ((outcome - mean[group]) ** 2).sum())


def differences_of(less: ScoreDifference) -> tuple[str, str, str, str]:
    """What the chosen forecasts have more than a baseline."""
    return interval(less.pr_auc, "+.3f"), interval(less.log_loss, "+.3f"), "", ""


def interval(score: Interval, form: str = ".3f") -> str:
    """The estimate with its interval."""
    low, high = format(score.low, form), format(score.high, form)
    return f"{score.estimate:{form}} [{low}, {high}]".replace("-", "−")


def lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table, line by line."""
    for cells in chain((header, ["---"] * len(header)), rows):
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the scores, horizon by horizon, and then what they are of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--horizons", nargs="+", type=int, choices=[*CASES], default=[*CASES])
    options = parser.parse_args()
    tested: list[tuple[str, ...]] = []

    def scores(home: Path) -> Iterator[tuple[str, ...]]:
        for horizon_s in options.horizons:
            skill = skill_of(home, CASES[horizon_s], options.recordings)
            tested.append(skill.tested)
            yield from skill.scores

    with tempfile.TemporaryDirectory() as folder:
        for each in lines(SCORES, scores(options.home or Path(folder))):
            print(each, flush=True)
    print()
    print("\n".join(lines(TESTED, tested)))


if __name__ == "__main__":
    main()
