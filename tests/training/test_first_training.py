"""A first training waits until there are rows for it, and says for how long."""

from contextlib import closing

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.archive.manifest import ArchiveManifest, ProductCounts
from barograph.cases.affordable import SHORT_S
from barograph.cases.case import Table
from barograph.cases.market import MARKET
from barograph.cases.spikes import FIRST, SPIKES
from barograph.errors import TooLittleDataError
from barograph.feature_set.featurizer import Featurizer
from barograph.log import open_log
from barograph.log.topics import FEATURES, ensure_topics
from barograph.training.first_training import (
    FirstTraining,
    UsableRows,
    archived_rows,
    least_rows,
)
from barograph.training.walkforward import Training, questions_of
from barograph.types import FeatureRow, Message, Record
from second_ticks import ticks

NS = 10**9


def rows_of(seconds, start=0):
    records = [
        Record(m.topic, 0, n, m.key, m.value) for n, m in enumerate(ticks(seconds + 2, start))
    ]
    return [codec.decode_row(value) for _, value in Featurizer().receive(records).values]


@pytest.mark.slow
@pytest.mark.parametrize("keys", [1, 2, 10, 1000])
def test_with_the_least_rows_every_fold_has_a_question_and_with_fewer_none(keys):
    needed = least_rows(SPIKES, FIRST, folds=4, keys=keys)
    assert needed % keys == 0
    assert 40 * 60 < needed / keys < 80 * 60
    assert least_rows(SPIKES, FIRST, folds=2, keys=keys) <= needed


@pytest.mark.slow
def test_a_real_table_with_fewer_rows_cannot_be_trained_on(simulated_rows):
    """The count is a lower bound: what it refuses, training refuses too."""
    needed = least_rows(SPIKES, FIRST, folds=4, keys=1)
    table = simulated_rows
    assert len(table.order) < needed
    with pytest.raises(TooLittleDataError):
        questions_of(SPIKES, table, Training(folds=4, split="walk-forward"))


@pytest.fixture(scope="module")
def simulated_rows():
    rng, rows = np.random.default_rng(1), 3000
    return Table(
        features=FIRST,
        x=np.ones((rows, len(FIRST)), np.float32),
        outcome=rng.lognormal(size=rows),
        keys=("BTC-USD",),
        key=np.zeros(rows, np.int64),
        order=np.arange(rows),
        session=np.zeros(rows, np.int64),
        regime=np.zeros(rows, np.int64),
        left_out={},
        unused={},
    )


def counted(rows):
    count = UsableRows(MARKET, FIRST)
    for row in rows:
        count.take(row)
    return count


def test_a_row_counts_when_its_features_and_its_outcome_are_known():
    rows = rows_of(500)
    known = [row for row in rows if row.values[MARKET.places["realized_vol_300s"]] is not None]
    count = counted(rows)
    assert count.rows == len(known) - MARKET.horizon_s
    assert count.keys == 1


@given(st.sets(st.integers(300, 460), max_size=30))
def test_rows_that_are_missing_count_neither_as_rows_nor_as_outcomes(missing):
    rows = [row for n, row in enumerate(rows_of_500()) if n not in missing]
    there = {row.second: row for row in rows}
    expected = sum(
        second + 60 in there
        and there[second + 60].values[MARKET.places["realized_vol_60s"]] is not None
        for second, row in there.items()
        if row.values[MARKET.places["realized_vol_300s"]] is not None
    )
    assert counted(rows).rows == expected
    assert counted([row for row in rows for _ in range(2)]).rows == expected


KEPT = []


def rows_of_500():
    if not KEPT:
        KEPT.extend(rows_of(500))
    return KEPT


def test_rows_of_other_features_are_no_rows():
    foreign = [msgspec.structs.replace(row, feature_set="other") for row in rows_of_500()]
    assert counted(foreign).rows == counted(foreign).keys == 0


def of_home(home, keys=1):
    return FirstTraining(
        SPIKES, home, home / "archive", features=FIRST, folds=4, keys=keys,
        warmup_s=SHORT_S,
    )  # fmt: skip


def append(log, rows: list[FeatureRow]):
    log.append([Message(FEATURES, row.product, codec.encode(row)) for row in rows])


@pytest.mark.slow
def test_it_counts_down_and_is_due_when_there_are_rows_enough(tmp_path):
    first, needed = of_home(tmp_path), least_rows(SPIKES, FIRST, folds=4, keys=1)
    with closing(open_log(tmp_path)) as log:
        decision = first.due()
        assert (decision.due, decision.rows, decision.needed) == (False, 0, needed)
        assert decision.in_s == pytest.approx(needed + 360)
        assert decision.why == f"first training in about 76 min: 0 of {needed:,} rows"
        ensure_topics(log)
        append(log, rows_of_500()[:101])
        assert first.due().in_s == pytest.approx(needed + 360 - 100)
        append(log, rows_of_500()[101:])
        decision = first.due()
        assert decision.rows == counted(rows_of_500()).rows
        assert decision.in_s == pytest.approx(needed - decision.rows)
        again = first.due()
        assert again == decision
        append(log, rows_of(needed + 400, start=1000))
        decision = first.due()
        assert (decision.due, decision.why) == (True, "there is no version yet")
    assert of_home(tmp_path).due().due


@pytest.mark.slow
def test_a_look_makes_no_log(tmp_path):
    assert of_home(tmp_path).due().rows == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_archive_that_is_longer_than_its_log_counts(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "000001.ndjson.gz").touch()
    counts = ProductCounts(ticks=9, first_event_time_ns=5 * NS, last_event_time_ns=3605 * NS)
    manifest = ArchiveManifest(products={"A": counts, "B": counts, "C": ProductCounts()})
    (folder / "000001.manifest.json").write_bytes(msgspec.json.encode(manifest))
    assert archived_rows(folder, MARKET) == 7200
    assert archived_rows(tmp_path / "none", MARKET) == 0
    assert of_home(tmp_path, keys=2).due().due
