"""The case of spikes on invented rows: what is used, what is asked, what an alarm is worth."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph import labels
from barograph.cases import spikes
from barograph.cases.spikes import SPIKES, WANTED
from barograph.errors import TooLittleDataError
from barograph.kernels import COLUMN, FEATURES, NAMES
from barograph.models import ModelFacts
from barograph.types import NS_PER_S, Reason

LONG = settings(max_examples=20, deadline=None)
SECONDS = 6000


def frame(products=("A",), seconds=SECONDS, missing=(), unlabelled=(), seed=0):
    """A dataset of noise; `missing` has (product, feature, first place, last place, reason)."""
    rng = np.random.default_rng(seed)
    frames = []
    for product in products:
        values = rng.lognormal(-10, 0.5, (seconds, len(NAMES)))
        reasons = np.full((seconds, len(NAMES)), ord("0"), np.uint8)
        label = rng.lognormal(-10, 0.5, seconds)
        label[list(unlabelled)] = np.nan
        for theirs, name, first, last, reason in missing:
            if theirs == product:
                values[first:last, COLUMN[name]] = np.nan
                reasons[first:last, COLUMN[name]] += int(reason)
        columns = {name: values[:, place] for name, place in COLUMN.items()}
        made = pl.DataFrame(
            {
                "product": [product] * seconds,
                "second": np.arange(seconds) + 1_000_000,
                **columns,
                "reasons": [row.tobytes().decode() for row in reasons],
                "future_realized_vol": label,
            }
        )
        frames.append(made.with_columns(pl.col(*NAMES, "future_realized_vol").fill_nan(None)))
    return pl.concat(frames)


def test_the_features_reach_back_300_seconds_at_most_and_know_no_price():
    assert all(FEATURES[COLUMN[name]].warmup_s <= 300 for name in WANTED)
    assert {"realized_vol_60s", "spread_bps", "book_imbalance", "flow_imbalance_60s"} <= {*WANTED}
    assert not {"spread", "traded_volume_60s", "realized_vol_900s", "hour_sin"} & {*WANTED}


def test_every_row_with_a_label_and_all_features_is_used_as_float32():
    rows = frame(("B", "A"))
    table = SPIKES.table(rows.sample(fraction=1.0, shuffle=True, seed=1))
    assert table.features == WANTED
    assert table.keys == ("A", "B")
    assert len(table.order) == 2 * SECONDS
    ordered = rows.sort("product", "second")
    assert (table.x == ordered.select(WANTED).to_numpy().astype(np.float32)).all()
    assert (table.order == ordered["second"].to_numpy()).all()
    assert (table.outcome == ordered["future_realized_vol"].to_numpy()).all()
    assert (table.unused, table.left_out) == ({}, {})


def test_rows_without_label_or_feature_are_left_out_once_and_counted_by_reason():
    table = SPIKES.table(
        frame(
            missing=[
                ("A", "realized_vol_300s", 0, 300, Reason.WARMUP),
                ("A", "log_return_60s", 0, 60, Reason.WARMUP),
                ("A", "realized_vol_300s", 3000, 3100, Reason.GAP),
                ("A", "realized_vol_900s", 0, 6000, Reason.GAP),  # not a feature of this case
            ],
            unlabelled=[10, 5999],
        )
    )
    assert table.unused == {"label unknown": 2, "WARMUP": 299, "GAP": 100}
    assert len(table.order) == SECONDS - 2 - 299 - 100


def test_a_feature_that_a_venue_does_not_offer_is_left_out_and_costs_no_row():
    missing = [("B", "flow_imbalance_60s", 0, SECONDS, Reason.NOT_OFFERED)]
    table = SPIKES.table(frame(("A", "B"), missing=missing))
    assert table.left_out == {"flow_imbalance_60s": "B offers it in 0% of its rows"}
    assert table.features == tuple(name for name in WANTED if name != "flow_imbalance_60s")
    assert len(table.order) == 2 * SECONDS


def test_what_is_offered_is_judged_before_the_first_test_only():
    first_test = round(spikes.PLAN.first_share * SECONDS)
    missing = [("A", "book_imbalance", first_test, SECONDS, Reason.NOT_OFFERED)]
    table = SPIKES.table(frame(missing=missing))
    assert table.left_out == {}
    assert table.unused == {"NOT_OFFERED": SECONDS - first_test}


def test_a_dataset_without_a_usable_row_is_too_little():
    table = SPIKES.table(frame(seconds=70, unlabelled=range(70)))
    assert len(table.order) == 0
    with pytest.raises(TooLittleDataError, match="0 usable rows"):
        SPIKES.split(table, 3)


@LONG
@given(st.integers(1, 4), st.sampled_from([(), ("A",), ("A", "B")]))
def test_no_second_is_seen_from_both_sides_of_a_fold(folds, gone):
    longest = 300 if not gone else 60
    table = SPIKES.table(frame(("A", "B")))
    if gone:
        short = tuple(n for n in WANTED if FEATURES[COLUMN[n]].warmup_s <= 60)
        table = with_features(table, short)
    for fold in SPIKES.split(table, folds):
        sides = [table.order[rows] for rows in (fold.train, fold.validation, fold.calibration)]
        sides.append(table.order[fold.test])
        for place, earlier in enumerate(sides[:-1]):
            for later in sides[place + 1 :]:
                assert later.min() - longest > earlier.max() + labels.HORIZON_S


def with_features(table, names):
    values = {field: getattr(table, field) for field in table.__slots__}
    rows = np.arange(len(table.order))
    return type(table)(**values | {"features": names, "x": table.columns(names, rows)})


@LONG
@given(st.integers(0, 2**16))
def test_tau_comes_from_training_labels_and_no_others(seed):
    table = SPIKES.table(frame(("A", "B")))
    fold = SPIKES.split(table, 2)[0]
    known = SPIKES.target(table, fold.train)
    values = {field: getattr(table, field) for field in table.__slots__}
    changed = table.outcome.copy()
    others = np.setdiff1d(np.arange(len(changed)), fold.train)
    changed[others] = np.random.default_rng(seed).lognormal(-8, 2, len(others))

    told = SPIKES.target(type(table)(**values | {"outcome": changed}), fold.train)

    assert told.tau == known.tau
    assert (told.y[fold.train] == known.y[fold.train]).all()
    for place, product in enumerate(table.keys):
        mine = fold.train[table.key[fold.train] == place]
        assert known.tau[product] == labels.tau(table.outcome[mine])
        assert known.y[mine].mean() == pytest.approx(0.1, abs=0.01)


def test_a_product_with_too_little_history_has_no_question_and_says_so():
    table = SPIKES.table(pl.concat([frame(("A",), 2 * SECONDS), frame(("B",), 500)]))
    target = SPIKES.target(table, SPIKES.split(table, 2)[0].train)
    assert list(target.tau) == ["A"]
    assert "known labels, need 600" in target.left_out["B"]
    assert np.isnan(target.y[table.key == 1]).all()
    assert not np.isnan(target.y[table.key == 0]).any()


def storms():
    """A table of two products with one storm each, at the same time, and its rows and answers."""
    table = SPIKES.table(frame(("A", "B")))
    y = np.zeros(len(table.order))
    y[(table.order >= 1_003_000) & (table.order < 1_003_100)] = 1.0
    return table, np.arange(len(y)), y


def test_a_storm_that_went_through_all_products_is_one_event():
    table, rows, y = storms()
    assert SPIKES.events(table, rows, y) == 1
    assert SPIKES.events(table, rows, y * 0) == 0


def test_an_alarm_before_each_storm_is_worth_all_of_them():
    table, rows, y = storms()
    acted = table.order == 1_002_980
    worth = SPIKES.judge(table, rows, y, acted)
    assert worth == {"recall": 1.0, "lead_s": 80.0, "false_alarms_per_hour": 0.0}
    one = acted & (table.key == 0)
    assert SPIKES.judge(table, rows, y, one)["recall"] == 0.5


def test_the_threshold_keeps_the_budget_of_false_alarms_on_the_rows_it_was_given():
    table, rows, y = storms()
    probability = np.random.default_rng(1).random(len(rows))
    threshold = SPIKES.threshold(table, rows, y, probability)
    worth = SPIKES.judge(table, rows, y, probability >= threshold)
    assert 0 < worth["false_alarms_per_hour"] <= spikes.FALSE_ALARMS_PER_HOUR


def test_a_model_has_not_seen_what_lies_an_embargo_after_its_last_label():
    table, rows, _ = storms()
    fold = SPIKES.split(table, 2)[0]
    start_ns, end_ns = SPIKES.span_ns(table, fold.train)
    assert start_ns == 1_000_000 * NS_PER_S
    assert end_ns == (table.order[fold.train].max() + 61) * NS_PER_S
    facts = ModelFacts(
        case="spikes", candidate="", features=(), feature_set="", tau={}, threshold=0.5,
        horizon_s=60, train_start_ns=start_ns, train_end_ns=end_ns, data_hash="", seed=0,
        sha256="", scores={}, created_time_ns=0,
    )  # fmt: skip
    unseen = table.order[rows[SPIKES.unseen(table, rows, facts)]]
    assert unseen.min() == table.order[fold.train].max() + 61 + 300
