"""The case of spikes on invented rows: what is used, what is asked, what an alarm is worth."""

import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.cases import sampled, spikes
from barograph.cases.case import adapted
from barograph.cases.spikes import (
    CLOCKS,
    FIRST,
    GARCH,
    HORIZONS,
    LONG_EWMA,
    SPIKES,
    SPIKES_5M,
    SPIKES_10S,
    SPIKES_15M,
    WANTED,
    wanted,
)
from barograph.errors import BadInputError, TooLittleDataError
from barograph.evaluation import labels
from barograph.feature_set.catalogue import COLUMN, FEATURES, NAMES
from barograph.learning.candidates import persistence
from barograph.registry.model import TAU, ModelFacts
from barograph.types import NS_PER_S, Reason

LONG = settings(max_examples=20, deadline=None)
SECONDS = 6000


def frame(products=("A",), seconds=SECONDS, missing=(), unlabelled=(), seed=0, start_s=1_000_000):
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
                "second": np.arange(seconds) + start_s,
                "log_mid_e9": np.full(seconds, 11_512_925_465, np.int64),
                "return_e9": rng.normal(0, 40_000, seconds).round().astype(np.int64),
                **columns,
                "reasons": [row.tobytes().decode() for row in reasons],
                "outcome": label,
            }
        )
        frames.append(made.with_columns(pl.col(*NAMES, "outcome").fill_nan(None)))
    return pl.concat(frames)


def test_the_features_reach_back_an_hour_at_most_and_know_no_price():
    assert all(FEATURES[COLUMN[name]].warmup_s <= 300 for name in WANTED)
    assert max(FEATURES[COLUMN[name]].reach_s for name in WANTED) == spikes.LONGEST_WINDOW_S
    assert {"ewma_vol_60s", "observed_vol_10s", "typical_vol_3600s"} <= {*WANTED}
    assert not {"spread", "traded_volume_60s", "realized_vol_900s", "hour_sin"} & {*WANTED}


def test_the_hour_is_in_the_table_for_the_climatology_and_no_model_uses_it():
    table = SPIKES.table(frame())
    assert table.features == (*FIRST, *CLOCKS)
    for candidate in SPIKES.candidates(table.features):
        if candidate.name == "climatology":
            assert candidate.features == (*CLOCKS, TAU)
        else:
            assert not {*CLOCKS} & {*candidate.features}


def test_a_history_full_of_holes_keeps_the_windows_that_every_forecast_starts_from():
    holes = [
        ("A", name, n, n + 8, Reason.GAP)
        for name in WANTED
        if name.startswith(("observed_vol", "typical_vol", "ewma"))
        for n in range(0, SECONDS, 100)
    ]
    table = SPIKES.table(frame(missing=holes))
    assert {*FIRST} <= {*table.features}
    assert len(table.order) == SECONDS * 92 // 100


def test_a_candidate_whose_columns_are_not_there_is_none():
    every = {made.name for made in SPIKES.candidates((*WANTED, *CLOCKS))}
    without = tuple(name for name in WANTED if name != "ewma_vol_60s")
    assert {made.name for made in SPIKES.candidates((*without, *CLOCKS))} == every - {"ewma"}


def test_what_only_the_experiment_computes_is_used_by_baselines_alone():
    table = SPIKES.table(frame())
    features_of = {made.name: {*made.features} for made in SPIKES.candidates(table.features)}
    experimental = {name for name, used in features_of.items() if GARCH in used}
    assert experimental == {"garch"} <= {*SPIKES.baselines}
    assert {*SPIKES.to_beat} < {*SPIKES.baselines} < {*features_of}
    for name in features_of.keys() - {*SPIKES.baselines}:
        assert features_of[name] <= {*WANTED, TAU}


def test_every_row_with_a_label_and_all_features_is_used_as_float32():
    rows = frame(("B", "A"))
    table = SPIKES.table(rows.sample(fraction=1.0, shuffle=True, seed=1))
    assert table.features == (*FIRST, *CLOCKS)
    assert table.keys == ("A", "B")
    assert len(table.order) == 2 * SECONDS
    ordered = rows.sort("product", "second")
    assert (table.x == ordered.select(table.features).to_numpy().astype(np.float32)).all()
    assert (table.order == ordered["second"].to_numpy()).all()
    assert (table.outcome == ordered["outcome"].to_numpy()).all()
    assert table.unused == {}
    assert table.left_out == {
        f"{kind}_vol_{w}s": f"6,000 s of history are few for {w} s"
        for kind, w in (("observed", 600), ("typical", 900), ("typical", 1800), ("typical", 3600))
    }


def test_rows_without_label_or_feature_are_left_out_once_and_counted_by_reason():
    table = SPIKES.table(
        frame(
            missing=[
                ("A", "observed_vol_300s", 0, 200, Reason.WARMUP),
                ("A", "tick_vol_60s", 0, 60, Reason.WARMUP),
                ("A", "observed_vol_300s", 3000, 3050, Reason.GAP),
                ("A", "realized_vol_900s", 0, 6000, Reason.GAP),  # not a feature of this case
            ],
            unlabelled=[10, 5999],
        )
    )
    assert table.unused == {"label unknown": 2, "WARMUP": 199, "GAP": 50}
    assert len(table.order) == SECONDS - 2 - 199 - 50


def test_a_feature_that_would_cost_many_rows_after_holes_is_left_out():
    holes = [("A", "tick_vol_300s", n, n + 300, Reason.GAP) for n in range(0, 6000, 1000)]
    table = SPIKES.table(frame(missing=holes))
    assert table.left_out["tick_vol_300s"] == "it would cost 30% of the rows, after holes"
    assert len(table.order) == SECONDS


def test_a_feature_that_a_venue_does_not_offer_is_left_out_and_costs_no_row():
    missing = [("B", "tick_vol_60s", 0, SECONDS, Reason.NOT_OFFERED)]
    table = SPIKES.table(frame(("A", "B"), missing=missing))
    assert table.left_out["tick_vol_60s"] == "B offers it in 0% of its rows"
    assert "tick_vol_60s" not in table.features
    assert len(table.features) == len(FIRST) + len(CLOCKS) - 1
    assert len(table.order) == 2 * SECONDS


@pytest.mark.parametrize(("seconds", "left_out"), [(700, True), (500, False)])
def test_what_one_regime_of_some_length_does_not_offer_no_model_may_use(seconds, left_out):
    """Two nights of one product; in the second one its feed had no sizes."""
    missing = [("A", "tick_vol_60s", 0, seconds, Reason.NOT_OFFERED)]
    nights = [frame(), frame(seconds=seconds, missing=missing, start_s=1_000_000 + 12 * 3600)]
    table = SPIKES.table(pl.concat(nights))
    assert ("tick_vol_60s" in table.left_out) == left_out
    assert ("tick_vol_60s" not in table.features) == left_out
    assert table.unused == ({} if left_out else {"NOT_OFFERED": seconds})
    assert len(np.unique(table.regime)) == (2 if left_out else 1)


def test_rows_of_one_night_are_of_one_regime_and_of_as_many_sessions_as_it_had_holes():
    later = [frame(seconds=900, start_s=1_000_000 + hole) for hole in (2000, 2000 + 7 * 3600)]
    table = SPIKES.table(pl.concat([frame(seconds=900), *later]))
    assert np.bincount(table.session).tolist() == [900, 900, 900]
    assert np.bincount(table.regime).tolist() == [1800, 900]


def test_a_dataset_without_a_usable_row_is_too_little():
    table = SPIKES.table(frame(seconds=70, unlabelled=range(70)))
    assert len(table.order) == 0
    with pytest.raises(TooLittleDataError, match="0 usable rows"):
        SPIKES.split(table, 3, "walk-forward")


def nights(count, seconds=700, products=("A",)):
    """As many regimes, a day apart."""
    return pl.concat(
        frame(products, seconds, seed=day, start_s=1_000_000 + 86_400 * day) for day in range(count)
    )


def with_features(table, names):
    rows = np.arange(len(table.order))
    return dataclasses.replace(table, features=names, x=table.columns(names, rows))


@pytest.mark.slow
@LONG
@given(st.integers(1, 4), st.booleans())
def test_no_second_is_seen_from_both_sides_of_a_fold_or_of_a_part_that_is_held_out(folds, short):
    table = SPIKES.table(frame(("A", "B")))
    if short:
        names = tuple(n for n in FIRST if FEATURES[COLUMN[n]].reach_s <= 60)
        table = with_features(table, names)
    longest = 60 if short else 300
    kind, made = SPIKES.split(table, folds, "auto")
    assert kind == "walk-forward"
    assert len(made) == folds
    for fold in made:
        order = table.order
        assert order[fold.test].min() - longest > order[fold.train].max() + labels.HORIZON_S
        for rest, held in fold.inner:
            before = order[rest][order[rest] < order[held].min()]
            after = order[rest][order[rest] > order[held].max()]
            assert len(before) + len(after) == len(rest)
            assert order[held].min() - longest > before.max(initial=0) + labels.HORIZON_S
            assert after.min(initial=10**9) - longest > order[held].max() + labels.HORIZON_S


def test_from_three_regimes_on_each_is_left_out_in_turn_unless_chosen_otherwise():
    two, three = (SPIKES.table(nights(count, 3000)) for count in (2, 3))
    assert SPIKES.split(two, 2, "auto")[0] == "walk-forward"
    kind, folds = SPIKES.split(three, 2, "auto")
    assert kind == "leave-session-out"
    assert len(folds) == 3
    for number, fold in enumerate(folds):
        assert set(three.regime[fold.test]) == {number}
        assert set(three.regime[fold.train]) == {0, 1, 2} - {number}
        assert len(fold.inner) == 2
    kind, folds = SPIKES.split(three, 2, "walk-forward")
    assert (kind, len(folds)) == ("walk-forward", 2)
    with pytest.raises(TooLittleDataError, match="2 sessions"):
        SPIKES.split(two, 2, "leave-session-out")


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**16))
def test_the_question_comes_from_training_labels_and_returns_before_each_row_and_no_others(seed):
    table = SPIKES.table(frame(("A", "B")))
    fold = SPIKES.split(table, 2, "auto")[1][0]
    known = SPIKES.target(table, fold.train)
    rng = np.random.default_rng(seed)
    outcome, returns = table.outcome.copy(), table.returns_1s.copy()
    others = np.setdiff1d(np.arange(len(outcome)), fold.train)
    outcome[others] = rng.lognormal(-8, 2, len(others))
    later = np.ones(len(returns), np.bool_)
    later[table.place[fold.train]] = False
    returns[later] *= rng.lognormal(0, 2, later.sum())

    changed = dataclasses.replace(table, outcome=outcome, returns_1s=returns)
    target = SPIKES.target(changed, fold.train)

    assert target.tau == known.tau
    assert (target.y[fold.train] == known.y[fold.train]).all()
    for name in (TAU, GARCH):
        before, now = known.beside[name][fold.train], target.beside[name][fold.train]
        assert before.tobytes() == now.tobytes()  # exact: no row sees what it may not learn from
    for place, product in enumerate(table.keys):
        of_product = fold.train[table.key[fold.train] == place]
        assert known.tau[product] == labels.tau(table.outcome[of_product])
        assert known.y[of_product].mean() == pytest.approx(0.1, abs=0.01)
        assert set(known.beside[TAU][table.key == place]) == {known.tau[product]}


@pytest.mark.slow
def test_a_product_with_too_little_history_has_no_question_and_says_so():
    table = SPIKES.table(pl.concat([frame(("A",), 2 * SECONDS), frame(("B",), 500)]))
    target = SPIKES.target(table, SPIKES.split(table, 2, "auto")[1][0].train)
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
    # exact: counts, divided once
    assert worth == {"recall": 1.0, "lead_s": 80.0, "false_alarms_per_hour": 0.0}
    one = acted & (table.key == 0)
    assert SPIKES.judge(table, rows, y, one)["recall"] == 0.5  # exact: counts, divided once


def test_the_threshold_keeps_the_budget_of_false_alarms_on_the_rows_it_was_given():
    table, rows, y = storms()
    probability = np.random.default_rng(1).random(len(rows))
    threshold = SPIKES.threshold(table, rows, y, probability)
    worth = SPIKES.judge(table, rows, y, probability >= threshold)
    assert 0 < worth["false_alarms_per_hour"] <= spikes.FALSE_ALARMS_PER_HOUR


def test_a_model_has_not_seen_what_lies_an_embargo_after_its_last_label():
    table, rows, _ = storms()
    fold = SPIKES.split(table, 2, "auto")[1][0]
    start_ns, end_ns = SPIKES.span_ns(table, fold.train)
    assert start_ns == 1_000_000 * NS_PER_S
    assert end_ns == (table.order[fold.train].max() + 61) * NS_PER_S
    facts = ModelFacts(
        case="spikes", candidate="", features=("observed_vol_60s", "tick_vol_300s"),
        feature_set="", tau={}, threshold=0.5, horizon_s=60, train_start_ns=start_ns,
        train_end_ns=end_ns, data_hash="", seed=0,
        sha256="", scores={}, created_time_ns=0,
    )  # fmt: skip
    unseen = table.order[rows[SPIKES.unseen(table, rows, facts)]]
    assert unseen.min() == table.order[fold.train].max() + 61 + 300


@given(st.integers(0, 2**16))
def test_other_parameters_are_drawn_for_trees_that_can_take_them(seed):
    features = SPIKES.table(frame(seconds=10)).features
    for candidate in SPIKES.candidates(features):
        if candidate.parameters:
            rng = np.random.default_rng(seed)
            varied = SPIKES.varied(candidate, rng)
            again = SPIKES.varied(candidate, np.random.default_rng(seed))
            assert varied.name == candidate.name
            assert varied.parameters == again.parameters
            assert varied.parameters.keys() == candidate.parameters.keys()
        else:
            assert "boost" not in candidate.name


def test_the_card_is_given_the_mid_price_of_each_row():
    table = SPIKES.table(frame())
    np.testing.assert_allclose(table.level, 100_000, rtol=1e-6)
    assert len(table.level) == len(table.order)


def test_a_candidate_of_ones_own_gets_the_features_that_it_names():
    own = persistence("microprice_deviation_bps", name="own")
    table = adapted(SPIKES, own=[own]).table(frame(("A",)))
    assert table.features == (*FIRST, "microprice_deviation_bps", *CLOCKS)
    with pytest.raises(BadInputError, match=r"catalogue has no such feature.*observed_vol_60s"):
        adapted(SPIKES, own=[persistence("observed_vol_61s", name="own")])
    hour = adapted(SPIKES, own=[persistence(("hour_sin", "ewma_vol_60s"), name="own")])
    assert hour.table(frame(("A",))).features == (*FIRST, *CLOCKS)


def test_a_feature_that_a_candidate_of_ones_own_names_is_kept_whatever_rows_it_costs():
    own = persistence("typical_vol_3600s", name="own")
    assert "typical_vol_3600s" in SPIKES.table(frame(("A",))).left_out
    table = adapted(SPIKES, own=[own]).table(frame(("A",)))
    assert "typical_vol_3600s" not in table.left_out
    assert table.columns(("typical_vol_3600s",), np.arange(5)).shape == (5, 1)


def windows_of(case, features=None):
    features = features or (*wanted(case.horizon_s), *CLOCKS)
    return {made.name: made.features for made in case.candidates(features)}


@pytest.mark.parametrize(
    ("case", "now", "har", "ewma"),
    [
        (SPIKES_10S, "observed_vol_10s", (10, 60, 300), "ewma_vol_60s"),
        (SPIKES, "observed_vol_60s", (10, 60, 300), "ewma_vol_60s"),
        (SPIKES_5M, "observed_vol_300s", (60, 300, 1800), LONG_EWMA),
        (SPIKES_15M, "observed_vol_900s", (120, 900, 3600), LONG_EWMA),
    ],
)
def test_the_baselines_of_a_horizon_look_back_as_far_as_it_looks_ahead(case, now, har, ewma):
    features_of = windows_of(case)
    assert features_of["persistence"] == (now, TAU)
    assert {*features_of["har"]} - {TAU} == {f"observed_vol_{w}s" for w in har}
    assert {*features_of["ewma"]} == {ewma, TAU}
    assert {*features_of} == {*windows_of(SPIKES)}


def test_where_history_is_short_persistence_is_of_the_longest_window_below_the_horizon():
    features_of = windows_of(SPIKES_15M, SPIKES_15M.table(frame()).features)
    assert features_of["persistence"] == ("observed_vol_300s", TAU)
    assert {*features_of["har"]} == {"observed_vol_120s", TAU}


@pytest.mark.parametrize("case", HORIZONS)
def test_a_horizon_has_the_purge_the_blocks_and_the_patience_of_its_length(case):
    table = case.table(frame(("A", "B"), 4 * SECONDS))
    longest = max(FEATURES[COLUMN[name]].reach_s for name in table.features)
    for fold in case.split(table, 2, "walk-forward")[1]:
        first, last = table.order[fold.test].min(), table.order[fold.train].max()
        assert first - max(longest, case.horizon_s) > last + case.horizon_s
    assert case.block == 10 * case.horizon_s
    assert case.stride == max(5, case.horizon_s // 12)
    assert f" {min(2.0, 120 / case.horizon_s):.3g} false alarms" in case.threshold_rule


@pytest.mark.slow
def test_a_quarter_of_an_hour_needs_ten_of_them_for_its_threshold():
    table = SPIKES_15M.table(pl.concat([frame(("A",), 9000), frame(("B",), 8999)]))
    target = SPIKES_15M.target(table, np.arange(len(table.order)))
    assert list(target.tau) == ["A"]
    assert "8999 known labels, need 9000" in target.left_out["B"]
    assert set(SPIKES.target(table, np.arange(len(table.order))).tau) == {"A", "B"}


def test_the_exponential_weights_of_a_long_horizon_decay_over_it():
    table = SPIKES_5M.table(frame(seconds=4000))
    ewma = SPIKES_5M.target(table, np.arange(4000)).beside[LONG_EWMA]
    variance, expected = None, []
    for each in table.returns_1s:  # the row's own return is the last that it knows
        if not np.isnan(each):
            before = each**2 if variance is None else variance
            variance = np.exp(-1 / 300) * before + (1 - np.exp(-1 / 300)) * each**2
        expected.append(np.nan if variance is None else np.sqrt(variance))
    np.testing.assert_allclose(ewma, np.array(expected)[table.place], rtol=1e-12)


def test_baselines_that_need_every_second_learn_from_the_complete_rows_alone():
    """Returns between the rows of a sampled history are not known, and none is made up."""
    whole = frame(seconds=9000)
    history = pl.col("second") < 1_003_000
    rows = whole.with_columns(
        history.alias(sampled.HISTORY),
        pl.when(history).then(15).otherwise(1).alias(sampled.STANDS_FOR),
        pl.lit(0, pl.Int64).alias(sampled.REGIME),
    ).filter(~history | (pl.col("second") % 15 == 0))
    table = SPIKES_5M.table(rows)
    of_history = table.sampled.history
    assert np.isnan(table.returns_1s[table.place[of_history]]).all()
    target = SPIKES_5M.target(table, np.arange(len(table.order)))
    for name in {LONG_EWMA, GARCH} & {*target.beside}:
        assert np.isnan(target.beside[name][of_history]).all()
        assert not np.isnan(target.beside[name][~of_history]).any()
    ewma = next(c for c in SPIKES_5M.candidates(table.features) if c.name == "ewma")
    examples = target.examples(table, ewma.features, np.arange(len(table.order)))
    assert len(examples.y) == (~of_history).sum()
    alone = SPIKES_5M.table(whole.filter(~history))
    of_alone = SPIKES_5M.target(alone, np.arange(len(alone.order))).beside[LONG_EWMA]
    np.testing.assert_allclose(target.beside[LONG_EWMA][~of_history], of_alone, rtol=1e-12)
    assert table.complete().place.tolist() == table.place[~of_history].tolist()
