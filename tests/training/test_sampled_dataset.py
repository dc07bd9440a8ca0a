"""Reading at most so many rows for a training: what is kept, and that nothing else matters."""

import dataclasses
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.cases.sampled import HISTORY, REGIME, STANDS_FOR
from barograph.errors import BadInputError
from barograph.evaluation import splits
from barograph.training import dataset_table
from barograph.training.sampled_dataset import read_for, table_of
from barograph.training.walkforward import Training
from customers import CUSTOMERS
from datasets_written import queue_rows, written
from queues import QUEUES

CASE = dataclasses.replace(QUEUES, stride=300)
"""One row in five is on the stride."""

HOW = Training(seed=4)


@st.composite
def invented(draw):
    """Rows of one or two queues with quiet and wild stretches, holes and unknown outcomes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    outcomes = {}
    for queue in ("south", "north")[: draw(st.integers(1, 2))]:
        rows = draw(st.integers(300, 500))
        wild = np.repeat(rng.random(rows // 5 + 1) < 0.15, 5)[:rows]
        values = np.where(wild, rng.uniform(5, 9, rows), rng.uniform(0, 5, rows))
        values[rng.random(rows) < 0.02] = np.nan
        outcomes[queue] = values.tolist()
    frame = queue_rows(outcomes).with_columns(pl.col("outcome").fill_nan(None))
    hole = draw(st.integers(0, 250))
    return frame.filter(~(pl.col("second") // 60).is_between(hole, hole + draw(st.integers(0, 9))))


def read(frame, max_rows, *, case=CASE, how=HOW, rows_of_a_group=50_000, at_once=None):
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as now:
        if at_once:
            now.setattr("barograph.training.dataset_table.ROWS_AT_ONCE", at_once)
        return read_for(written(Path(home), case, frame, rows_of_a_group), case, how, max_rows)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(invented(), st.integers(150, 280))
def test_every_row_of_an_episode_on_the_stride_is_kept_and_all_newer_rows_are(frame, max_rows):
    kept, how = read(frame, max_rows)
    facts, rows = kept.sample, kept.frame
    assert how == msgspec.structs.replace(HOW, max_rows=max_rows)
    assert len(rows) <= max_rows
    newer = frame.filter(pl.col("second") >= facts.complete_from_s)
    # exact: the same rows
    assert rows.filter(~pl.col(HISTORY)).select(frame.columns).equals(newer)
    assert (rows.filter(~pl.col(HISTORY))[STANDS_FOR] == 1).all()
    assert len(newer) == facts.complete_rows <= max_rows // 2
    older = frame.filter(pl.col("second") < facts.complete_from_s)
    on_stride = older.filter(pl.col("second") % 300 == 0)
    assert (len(older), len(on_stride)) == (facts.history_rows, facts.on_stride)
    spikes = on_stride.filter(pl.col("outcome") >= pl.col("product").replace_strict(facts.tau))
    assert len(spikes) == facts.episode_rows
    history = rows.filter(HISTORY)
    assert (
        # exact: the same rows
        history.filter(pl.col(STANDS_FOR) == 5)
        .select(frame.columns)
        .equals(spikes if facts.one_in > 1 else on_stride)
    )
    assert {*history[STANDS_FOR]} <= {5, 5 * facts.one_in}
    assert len(history) == facts.history_kept
    quiet = history.select("product", "second").join(on_stride, on=["product", "second"])
    assert len(quiet) == len(history)


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(invented(), st.integers(1, 90), st.integers(20, 90))
def test_neither_row_groups_nor_pieces_change_what_is_kept(frame, rows_of_a_group, at_once):
    whole, how = read(frame, 200)
    parts, same = read(frame, 200, rows_of_a_group=rows_of_a_group, at_once=at_once)
    # exact: the same rows
    assert whole.frame.equals(parts.frame)
    assert (whole.sample, how) == (parts.sample, same)


def test_another_seed_keeps_other_quiet_rows_and_the_same_episodes():
    rng = np.random.default_rng(1)
    frame = queue_rows({"south": rng.uniform(0, 9, 6000).tolist()})
    one, other = (read(frame, 700, how=Training(seed=seed))[0] for seed in (1, 2))
    assert one.sample.one_in > 1
    spikes, others = (each.frame.filter(HISTORY, pl.col(STANDS_FOR) == 5) for each in (one, other))
    # exact: the same rows
    assert spikes.equals(others)
    # exact: the same rows
    assert not one.frame.equals(other.frame)


def test_rows_stand_for_all_of_the_history_and_keep_the_regimes_of_the_whole():
    rng = np.random.default_rng(2)
    frame = queue_rows({"south": rng.uniform(0, 9, 9000).tolist()})
    frame = frame.filter(~pl.col("second").is_between(60 * 3000, 60 * 3400))
    kept, _ = read(frame, 900)
    history = kept.frame.filter(HISTORY)
    assert history[STANDS_FOR].sum() == pytest.approx(kept.sample.history_rows, rel=0.05)
    known = dict(
        zip(frame["second"], splits.sessions(frame["second"].to_numpy(), hole_s=21600), strict=True)
    )
    assert kept.frame[REGIME].to_list() == [known[second] for second in kept.frame["second"]]
    assert {*kept.frame[REGIME]} == {0, 1}


def test_no_more_rows_than_asked_for_are_read_as_they_are(tmp_path):
    frame = queue_rows({"south": [1.0] * 500})
    home = written(tmp_path, CASE, frame)
    for most in (None, 500, 10**6):
        kept, how = read_for(home, CASE, HOW, most)
        assert kept.sample is None
        assert how is HOW
        # exact: the same rows
        assert kept.frame.equals(dataset_table.read(home, CASE).frame)


def test_too_few_for_the_episodes_are_refused_and_the_cure_works():
    rng = np.random.default_rng(3)
    values = np.where(rng.random(40_000) < 0.4, rng.uniform(5, 9, 40_000), 1.0)
    frame = queue_rows({"south": values.tolist()})
    how = Training(quantile=0.5)
    with pytest.raises(BadInputError, match="--max-rows 3000: half of it cannot hold") as refused:
        read(frame, 3000, how=how)
    needed = int(refused.value.cure.split()[2])
    kept, _ = read(frame, needed, how=how)
    assert len(kept.frame) <= needed
    assert kept.sample.episode_rows > 1500


def test_records_are_not_sampled_and_say_so_where_it_was_asked_for(tmp_path):
    home = written(tmp_path, CUSTOMERS, pl.DataFrame({"name": ["a", "b", "c"]}))
    with pytest.raises(BadInputError, match=r"case .* has 3 rows, .* Leave it out"):
        read_for(home, CUSTOMERS, HOW, 2)
    with pytest.MonkeyPatch.context() as now:
        now.setattr("barograph.training.sampled_dataset.MOST_ROWS", 2)
        kept, how = read_for(home, CUSTOMERS, HOW)
    assert (len(kept.frame), kept.sample, how) == (3, None, HOW)


def test_a_table_that_does_not_know_what_rows_stand_for_is_refused():
    rng = np.random.default_rng(1)
    kept, _ = read(queue_rows({"south": rng.uniform(0, 9, 3000).tolist()}), 700)
    deaf = dataclasses.replace(CASE, table=lambda frame: CASE.table(frame.drop(STANDS_FOR)))
    with pytest.raises(BadInputError, match="samples_history=False"):
        table_of(deaf, kept)
    assert table_of(CASE, kept).sampled is not None


def test_another_table_than_was_built_is_refused(tmp_path):
    home = written(tmp_path, CASE, queue_rows({"south": [1.0] * 900}))
    table, _ = dataset_table.paths(home, CASE)
    table.write_bytes(table.read_bytes()[:-50] + bytes(50))
    with pytest.raises(BadInputError, match="it is not the file that was built"):
        read_for(home, CASE, HOW, 300)


def test_a_stride_that_no_older_row_is_on_is_refused():
    """Otherwise the whole history would be left out, and nobody would know."""
    frame = queue_rows({"south": [1.0] * 900}, start_s=30)
    with pytest.raises(BadInputError, match="Give --max-rows 900, or the case a stride"):
        read(frame, 300)
