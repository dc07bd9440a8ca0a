"""A case of a series that has nothing of its own: rows, folds, question and alarms."""

import numpy as np
import polars as pl
import pytest

from barograph.cases import sampled
from barograph.cases.series import Alarms, usable_rows
from barograph.errors import BadInputError, TooLittleDataError
from barograph.registry.model import TAU
from barograph.types import Reason
from queues import LIVE, QUEUES, START_MINUTE

MINUTES = 1500


def frame(*, queues=("north", "south"), minutes=MINUTES, missing=(), not_offered=""):
    """A dataset of queues whose length rises and falls; `missing` rows have no mean."""
    frames = []
    for number, queue in enumerate(queues):
        n = np.arange(minutes)
        waiting = 10 + 9 * np.sin(n / 25 + number)
        reasons = np.full((minutes, len(LIVE.columns)), "0")
        reasons[list(missing), 1] = str(int(Reason.GAP))
        if queue == not_offered:
            reasons[:, 2] = str(int(Reason.NOT_OFFERED))
        outcome = np.append(waiting[10:], np.full(10, np.nan))
        frames.append(
            pl.DataFrame(
                {
                    "product": [queue] * minutes,
                    "second": 60 * (START_MINUTE + n) + 59,
                    "waiting": waiting,
                    "waiting_mean_10min": np.where(reasons[:, 1] == "0", waiting, np.nan),
                    "arriving": np.where(reasons[:, 2] == "0", waiting, np.nan),
                    "reasons": ["".join(row) for row in reasons],
                    "outcome": outcome,
                }
            ).with_columns(pl.col(*LIVE.columns, "outcome").fill_nan(None))
        )
    return pl.concat(frames)


def test_rows_are_usable_where_outcome_and_features_are_known():
    table = QUEUES.table(frame(missing=[3, 4]))
    assert table.features == LIVE.columns
    assert len(table.order) == 2 * (MINUTES - 10 - 2)
    assert table.unused == {"label unknown": 20, "GAP": 4}
    assert (table.x[:, 1] == table.x[:, 0]).all()
    assert set(table.session) == {0}


def test_a_feature_that_one_key_does_not_offer_goes_and_its_rows_stay():
    usable = usable_rows(frame(not_offered="south"), LIVE, LIVE.columns)
    assert usable.table.features == ("waiting", "waiting_mean_10min")
    assert usable.table.left_out == {"arriving": "south offers it in 0% of its rows"}
    assert usable.rows.sum() == len(usable.table.order) == 2 * (MINUTES - 10)


def test_folds_are_apart_by_horizon_and_longest_window():
    table = QUEUES.table(frame())
    protocol, folds = QUEUES.split(table, 3, "auto")
    assert (protocol, len(folds)) == ("walk-forward", 3)
    for fold in folds:
        assert table.order[fold.test].min() - table.order[fold.train].max() > 600 + 600


def test_the_question_is_put_by_training_rows_alone():
    table = QUEUES.table(frame())
    north = np.flatnonzero(table.key == 0)[:700]
    question = QUEUES.target(table, north)
    assert set(question.tau) == {"north"}
    assert "have 0 known labels" in question.left_out["south"]
    tau = question.tau["north"]
    assert np.mean(table.outcome[north] < tau) == pytest.approx(0.9, abs=0.01)
    assert np.isnan(question.y[table.key == 1]).all()
    assert set(question.beside[TAU][table.key == 0]) == {tau}


def test_another_quantile_is_another_question():
    table = QUEUES.table(frame(queues=("north",)))
    rows = np.arange(len(table.order))
    for quantile in (0.5, 0.8, 0.99):
        tau = QUEUES.at_quantile(quantile)(table, rows).tau["north"]
        assert np.mean(table.outcome < tau) == pytest.approx(quantile, abs=0.02)


def test_acting_on_the_outcome_itself_warns_of_every_storm():
    table = QUEUES.table(frame(queues=("north",)))
    rows = np.arange(len(table.order))
    y = QUEUES.target(table, rows).y
    worth = QUEUES.judge(table, rows, y, y == 1.0)
    assert (worth["recall"], worth["false_alarms_per_hour"]) == (1.0, 0.0)  # exact: all and none
    assert worth["lead_s"] == 600  # exact: whole seconds; the first alarm stands at the first yes
    assert QUEUES.threshold(table, rows, y, y) > 0.0
    first, end = QUEUES.span_ns(table, rows)
    assert end - first == (table.order[-1] - table.order[0] + 1 + 600) * 10**9
    assert QUEUES.events(table, rows, y) == len(np.flatnonzero(np.diff(y) == 1.0)) > 5


def test_rows_are_unseen_a_window_after_the_last_outcome_that_was_fitted_on():
    table = QUEUES.table(frame(queues=("north",)))
    rows = np.arange(len(table.order))

    class Facts:
        train_end_ns = int(table.order[100]) * 10**9

    unseen = Alarms(600, 60, 600).unseen(table, rows, Facts)
    assert np.flatnonzero(unseen)[0] == 110


def test_too_few_rows_of_every_key_are_no_question():
    table = QUEUES.table(frame(minutes=200))
    with pytest.raises(TooLittleDataError):
        QUEUES.split(table, 5, "walk-forward")


def thin_history(until, q=4):
    """Rows of which those before minute `until` are one in `q`, as a sampled dataset has them."""
    rows = frame(missing=[3, 4])
    minute = pl.col("second") // 60 - START_MINUTE
    return rows.with_columns(
        (minute < until).alias(sampled.HISTORY),
        pl.when(minute < until).then(q).otherwise(1).alias(sampled.STANDS_FOR),
        pl.lit(7, pl.Int64).alias(sampled.REGIME),
    ).filter((minute >= until) | (minute % q == 0))


def test_rows_of_a_sampled_history_count_for_those_they_stand_for():
    table = QUEUES.table(thin_history(1000))
    assert table.unused == {"label unknown": 20, "GAP": 2 * 4}, "minute 3 is left out, 4 is not"
    assert table.sampled.stands_for.sum() == 2 * (MINUTES - 10 - 4)
    assert {*table.regime} == {7}
    outcome = table.outcome[table.key == 0]
    times = table.sampled.stands_for[table.key == 0]
    tau = QUEUES.target(table, np.arange(len(table.order))).tau["north"]
    expected = np.quantile(np.repeat(outcome, times), 0.9, method="higher")
    assert tau == expected  # exact: an observed value


def test_a_sampled_history_is_walked_forward_and_no_row_of_it_is_tested():
    table = QUEUES.table(thin_history(700))
    protocol, folds = QUEUES.split(table, 2, "auto")
    assert protocol == "walk-forward"
    for fold in folds:
        assert not table.sampled.history[np.concatenate([fold.test, fold.held_out])].any()
        assert table.sampled.history[fold.train].sum() == table.sampled.history.sum()


def test_sessions_of_a_sampled_history_cannot_be_left_out():
    with pytest.raises(BadInputError, match=r"Walk forward \(leave out --split\)"):
        QUEUES.split(QUEUES.table(thin_history(700)), 2, "leave-session-out")


def test_too_few_complete_rows_say_what_makes_more():
    with pytest.raises(TooLittleDataError, match="Give a larger --max-rows"):
        QUEUES.split(QUEUES.table(thin_history(1450)), 2, "auto")
