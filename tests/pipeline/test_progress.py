"""How far a product is: what the view counts is what the machines wait for."""

from barograph import codec
from barograph.cases.cold_start import ColdStart
from barograph.cases.market import MARKET
from barograph.feature_set.catalogue import COLUMN, FEATURES
from barograph.feature_set.featurizer import Featurizer
from barograph.log.topics import FEATURES as ROWS
from barograph.pipeline.progress import Progress, warmups_s
from barograph.pipeline.scorer import Scorer
from barograph.types import Gap, GapCause, Record, Verdict
from scored_rows import model
from second_ticks import ticks
from watched_predictions import prediction

NS = 10**9


def rows_of(messages):
    machine = Featurizer()
    records = [Record(each.topic, 0, n, each.key, each.value) for n, each in enumerate(messages)]
    return [codec.decode_row(value) for _, value in machine.receive(records).values]


def scored(rows):
    """Each row with the prediction of a scorer that has no model."""
    scorer = Scorer(MARKET)
    for n, row in enumerate(rows):
        (_, value), *_ = scorer.receive([Record(ROWS, 0, n, row.product, codec.encode(row))]).values
        yield row, codec.decode_prediction(value)


def test_the_countdown_of_a_fresh_product_is_the_truth_to_the_second():
    """Warm-up, then learning; what is left falls by one a second until there is a probability."""
    progress, waits, first = Progress(), [], None
    for row, made in scored(rows_of(ticks(800))):
        progress.take(row)
        if made.probability is not None:
            first = row.second
            break
        wait = progress.wait(made, None)
        assert wait is not None
        assert wait.learning == (made.verdict is Verdict.NO_MODEL)
        assert wait.have < wait.need
        waits.append((row.second, wait))
    assert first is not None
    assert [first - second for second, _ in waits] == [wait.left_s for _, wait in waits]
    assert (waits[23][1].have, waits[23][1].need) == (23, 60)
    assert (waits[-1][1].have, waits[-1][1].need) == (ColdStart.LEAST_SEEN - 1, 600)


def test_windows_are_known_before_there_is_a_model():
    progress = Progress()
    for row in rows_of(ticks(40)):
        progress.take(row)
    assert list(progress.known.volatility) == [10, 30]
    assert progress.known.spread_bps == 0.0


def test_the_run_is_exact_from_the_start_and_after_a_gap():
    messages = list(ticks(400))
    at = 200
    first = codec.decode_event(messages[at].value)
    gap = Gap(
        product=first.product, start_ns=first.event_time_ns - 5 * NS,
        end_ns=first.event_time_ns - 1, cause=GapCause.DISCONNECT,
    )  # fmt: skip
    broken = [
        *(m for m in messages[:at] if codec.decode_event(m.value).event_time_ns < gap.start_ns),
        type(messages[0])(messages[0].topic, first.product, codec.encode(gap)),
        *messages[at:],
    ]
    progress = Progress()
    for row in rows_of(broken):
        progress.take(row)
        full = [feature.warmup_s <= progress.run_s for feature in FEATURES if feature.warmup_s]
        known = [
            row.values[COLUMN[feature.name]] is not None
            or row.reasons[COLUMN[feature.name]] == "5"
            for feature in FEATURES if feature.warmup_s
        ]  # fmt: skip
        of_grid = [name.startswith(("realized_vol", "log_return", "bipower")) for name in
                   (feature.name for feature in FEATURES if feature.warmup_s)]  # fmt: skip
        assert [f for f, g in zip(full, of_grid, strict=True) if g] == [
            k for k, g in zip(known, of_grid, strict=True) if g
        ]


def test_a_model_waits_for_its_own_longest_window():
    progress = Progress()
    for row in rows_of(ticks(100)):
        progress.take(row)
    waiting = prediction("BTC-USD", 100, None, verdict=Verdict.WARMUP)
    wait = progress.wait(waiting, 300)
    assert (wait.learning, wait.need, wait.left_s) == (False, 300, 300 - progress.run_s)
    assert progress.wait(waiting, None) is None
    assert progress.wait(prediction("BTC-USD", 100, 0.5), 300) is None
    not_offered = prediction("BTC-USD", 100, None, verdict=Verdict.NO_MODEL)
    assert progress.wait(not_offered, 300) is None


def test_rows_that_come_twice_or_of_other_columns_are_ignored():
    rows = rows_of(ticks(100))
    once, twice = Progress(), Progress()
    for row in rows:
        once.take(row)
        twice.take(row)
        twice.take(row)
    twice.take(type(rows[0])(
        product="BTC-USD", second=10**6, feature_set="x", receive_time_ns=None,
        values=[1.0], reasons="0",
    ))  # fmt: skip
    assert (once.run_s, once.learned, once.known) == (twice.run_s, twice.learned, twice.known)


def test_the_warm_up_of_a_model_is_its_longest_window():
    assert warmups_s(None) == {}
    assert warmups_s(model(features=("realized_vol_60s", "vol_ratio_60_300s", "tau"))) == {
        "spikes/1": 300
    }
