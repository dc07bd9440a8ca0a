"""Scores of parts of the tested rows, held against those scores on these rows alone."""

import dataclasses
import math

import numpy as np
import pytest

from barograph.evaluation import bootstrap, gate, scores
from barograph.training.pooled import Pooled
from barograph.training.skill import (
    RESAMPLES,
    THIRDS,
    PooledForecasts,
    Resampling,
    parts,
    skill_rows,
)
from barograph.training.walkforward import CHOSEN
from cards import HOW, STORMS, pooled, storms
from cards import walked as walked_storms


def forecasts(y, outcome, seed=0, **changed):
    """What was forecast for the storms' rows: `late` is the baseline, `far` another one."""
    rng = np.random.default_rng(seed)
    table = storms()
    rows = np.arange(len(table.order))

    def near(noise):
        return 1 / (1 + np.exp(-(4 * y - 2 + rng.normal(0, noise, len(y)))))

    probability = {"late": near(3), "far": near(9), "level": near(1), CHOSEN: near(1)}
    facts = {
        "case": STORMS, "table": table, "rows": rows, "y": y, "outcome": outcome,
        "probability": probability, "ranking": probability,
        "volatility": {name: outcome * np.exp(each) for name, each in probability.items()},
        "chosen": CHOSEN, "baselines": ("far", "late"),
    }  # fmt: skip
    return PooledForecasts(**facts | changed)


@pytest.fixture(scope="module")
def made():
    outcome = storms().outcome
    y = (outcome >= np.quantile(outcome, 0.9)).astype(float)
    return forecasts(y, outcome)


@pytest.fixture(scope="module")
def rows(made):
    ratio = made.outcome
    return skill_rows(made, ratio, Resampling(40, 0.95, 1))


def test_the_parts_of_one_kind_share_out_all_rows(made, rows):
    by = {}
    for row in rows:
        by.setdefault(row.by, []).append(row)
    assert list(by) == ["all", "key", "regime", "hour", "session"]
    for of_kind in by.values():
        assert sum(row.rows for row in of_kind) == len(made.rows)
    assert [row.name for row in by["key"]] == ["A-USD", "B-USD"]
    assert [row.name for row in by["regime"]] == [*THIRDS]
    # 22:13:20 UTC and 00:38:20 UTC of the next day, each of them 25 minutes long
    assert [row.name for row in by["hour"]] == ["00:00", "01:00", "22:00"]
    assert [row.name for row in by["session"]] == ["2023-11-14 22:13", "2023-11-15 00:38"]


def test_a_score_of_a_part_is_that_of_its_rows_alone(made, rows):
    for part, row in zip(parts(made, made.outcome), rows, strict=True):
        y = made.y[part.where]
        assert row.base_rate == pytest.approx(y.mean(), rel=1e-12)
        assert row.events == STORMS.events(made.table, part.where, y)
        for score, truth, paired, of in (
            (scores.pr_auc, y, row.pr_auc, made.ranking),
            (scores.log_loss, y, row.log_loss, made.probability),
            (scores.log_r2, made.outcome[part.where], row.log_r2, made.volatility),
        ):
            if score is scores.pr_auc and not y.any():
                assert paired is None
                continue
            ours, theirs = (score(truth, of[name][part.where]) for name in (CHOSEN, "late"))
            assert paired.baseline == "late"
            assert (paired.chosen, paired.of_baseline) == pytest.approx((ours, theirs))
            assert paired.difference.estimate == pytest.approx(ours - theirs)


def test_intervals_are_of_blocks_of_the_parts_own_rows(made, rows):
    place = next(n for n, row in enumerate(rows) if row.name == "B-USD")
    where = list(parts(made, made.outcome))[place].where
    table = made.table
    drawn = bootstrap.resamples(
        table.order[where], table.session[where], block_s=STORMS.block, count=40, seed=1
    )
    ours, theirs = bootstrap.resampled_together(
        [(scores.log_loss, made.probability[name][where]) for name in (CHOSEN, "late")],
        made.y[where],
        drawn,
    )
    by_hand = gate.wide(ours - theirs, 0.95)
    difference = rows[place].log_loss.difference
    assert (difference.low, difference.high) == pytest.approx((by_hand.low, by_hand.high))
    assert rows[place].blocks == drawn.blocks


def test_what_beats_the_reference_is_named_and_the_reference_never(rows):
    whole = rows[0]
    assert whole.by == "all"
    assert whole.better_than_reference == ["level", CHOSEN]
    assert all("late" not in row.better_than_reference for row in rows)


def test_a_part_without_positives_has_no_ranking_and_none_without_forecasts_a_log_r2(made):
    calm = np.zeros(len(made.y))
    calm[made.table.key == 1] = made.y[made.table.key == 1]
    of = dataclasses.replace(made, y=calm, volatility={"late": made.outcome})
    by_name = {row.name: row for row in skill_rows(of, None, Resampling(5, 0.95, 1))}
    assert by_name["A-USD"].pr_auc is None
    assert by_name["B-USD"].pr_auc is not None
    assert not math.isnan(by_name["A-USD"].log_loss.difference.low)
    assert all(row.log_r2 is None for row in by_name.values())
    assert "regime" not in {row.by for row in by_name.values()}


def test_records_without_time_and_cases_without_a_baseline_to_beat_have_no_parts(made):
    timeless = dataclasses.replace(STORMS, horizon_s=0)
    for of in (
        dataclasses.replace(made, case=timeless),
        dataclasses.replace(made, baselines=()),
    ):
        assert skill_rows(of, None, Resampling(5, 0.95, 1)) == []


@pytest.mark.slow
def test_a_training_has_the_parts_of_its_tested_rows():
    whole, *others = pooled().facts().skill
    assert whole.rows == len(pooled().rows)
    assert {row.by for row in others} >= {"key", "hour"}
    assert whole.log_loss.difference.resamples == min(HOW.resamples, RESAMPLES)
    assert whole.log_loss.chosen == pytest.approx(
        pooled().interval(CHOSEN, scores.log_loss).estimate
    )
    assert Pooled(walked_storms(timed=False), HOW).facts().skill == []
