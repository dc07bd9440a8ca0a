"""Features of a notebook: the rows of `dataset`, to the bit, from whatever the ticks come."""

import copy
import dataclasses
import pickle

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import barograph as bg
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError, TooLittleDataError
from barograph.feature_set.catalogue import NAMES
from barograph.library import frames
from barograph.library.frames import Features
from barograph.training import dataset
from barograph.types import Reason

OWN = ["product", "event_time_ns", "receive_time_ns", "trade_id", "price", "bid", "ask", "bid_size",
       "ask_size", "volume_24h", "last_size", "side"]  # fmt: skip
"""The columns of a user's own frame of ticks."""


def built(tmp_path, recording):
    """The table that `barograph dataset RECORDING` makes."""
    dataset.build(tmp_path, SPIKES, recordings=[recording])
    return dataset.read(tmp_path, SPIKES).frame


def own(ticks):
    """The ticks of a recording as a user has them: no gaps, no heartbeats."""
    return ticks.frame.filter(pl.col("kind") == "tick").select(OWN)


@pytest.mark.slow
def test_features_and_labels_of_a_recording_are_the_rows_of_its_dataset(X, holed, tmp_path):
    y = bg.label(X)
    assert_frame_equal(X.rows(y["future_realized_vol"]), built(tmp_path, holed), check_exact=True)


@pytest.mark.slow
def test_so_are_those_of_a_real_recording(data, tmp_path):
    recording = data / "recordings" / "coinbase_btc_20251112_14_exchangefeed.ndjson.gz"
    X = bg.features(bg.read_ticks(recording))
    y = bg.label(X, min_labels=1)
    table = built(tmp_path, recording)
    assert_frame_equal(X.rows(y["future_realized_vol"]), table, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("form", [
    pl.DataFrame.lazy, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow, lambda frame: frame,
])  # fmt: skip
def test_the_rows_of_a_frame_are_those_of_a_recording_of_its_ticks(form, holed_ticks, tmp_path):
    if form in {pl.DataFrame.to_pandas, pl.DataFrame.to_arrow}:
        pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
    frame = own(holed_ticks)
    columns = {"product": "product", "event_time_ns": "time", "receive_time_ns": "received"}
    columns |= {name: name for name in OWN[3:]}
    path = tmp_path / "ticks.csv"
    frame.select(pl.all().exclude("receive_time_ns")).write_csv(path)
    del columns["receive_time_ns"]
    recorded = bg.features(bg.read_ticks(path, columns=columns))
    assert_frame_equal(bg.features(form(frame)).frame, recorded.frame, check_exact=True)


def test_a_frame_in_parts_gives_the_rows_of_its_ticks(holed_ticks, monkeypatch):
    monkeypatch.setattr(frames, "_PART", 100)
    of_frame, of_ticks = bg.features(own(holed_ticks)), bg.features(bg.read_ticks(own(holed_ticks)))
    assert_frame_equal(of_frame.frame, of_ticks.frame, check_exact=True)
    assert_frame_equal(of_frame.reasons, of_ticks.reasons)
    assert of_frame.late_ticks == of_ticks.late_ticks


def test_no_second_is_invented_over_a_hole(X, holed_ticks):
    gaps = holed_ticks.frame.filter(pl.col("kind") == "gap", pl.col("gap_start_ns").is_not_null())
    assert len(gaps) == 4  # two holes of two products
    for product, start_ns, end_ns in gaps.select(
        "product", "gap_start_ns", "event_time_ns"
    ).iter_rows():
        inside = X.frame.filter(
            pl.col("product") == product,
            pl.col("second") > start_ns // 10**9,
            pl.col("second") < end_ns // 10**9,
        )
        assert len(inside) == 0


def test_what_is_not_known_is_null_and_says_why(X):
    reasons = X.reasons
    assert reasons.columns == ["product", "second", *NAMES]
    for name in ("realized_vol_60s", "observed_vol_3600s", "spread"):
        assert (X[name].is_null() == reasons[name].is_not_null()).all()
    first = reasons.row(0, named=True)
    assert first["realized_vol_60s"] == Reason.WARMUP.name
    assert "GAP" in reasons["realized_vol_60s"].unique().to_list()
    assert X.frame.select(pl.col(NAMES).is_nan().any()).transpose().to_series().any() is False


def test_a_table_of_features_is_a_frame_for_others(X):
    assert X[["spread_bps", "staleness_s"]].columns == ["spread_bps", "staleness_s"]
    assert len(X["second"]) == len(X) == len(X.frame)
    assert X.columns[:2] == ["product", "second"]
    assert X.names == NAMES
    assert_frame_equal(pl.DataFrame(X), X.frame)
    assert repr(X).startswith("Features of 2 products in ")


def test_it_becomes_a_table_of_arrow_or_pandas(X):
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert X.to_arrow().num_rows == len(X)
    of_pandas = X.to_pandas()["realized_vol_60s"].to_numpy()
    # exact: the same values, moved
    np.testing.assert_array_equal(of_pandas, X["realized_vol_60s"].fill_null(np.nan).to_numpy())


def test_a_time_out_that_the_ticks_were_not_read_with_is_refused(holed_ticks):
    with pytest.raises(BadInputError, match="gaps are made as ticks are read"):
        bg.features(holed_ticks, silence_timeout_s=30)


def test_a_case_of_other_rows_is_refused(holed_ticks):
    with pytest.raises(BadInputError, match="not made of ticks"):
        bg.features(holed_ticks, case="hourly")
    assert bg.features(holed_ticks, case=SPIKES).case is SPIKES


def test_ticks_that_close_no_second_are_too_few(holed_ticks):
    with pytest.raises(TooLittleDataError, match="no closed second"):
        bg.features(own(holed_ticks).head(1))


def test_a_column_that_there_is_not_is_named_with_what_is_near(X):
    with pytest.raises(BadInputError, match=r"no such column.*such as realized_vol_60s"):
        X["realised_vol_60s"]
    with pytest.raises(BadInputError, match="'none'"):
        X[["second", "none"]]


def test_features_stay_as_they_are(X):
    with pytest.raises(AttributeError, match="Features is immutable"):
        X.frame = X.frame.head(1)
    with pytest.raises(AttributeError, match="Features is immutable"):
        del X.case


def test_features_are_pickled_where_their_case_has_a_name(X):
    for again in (pickle.loads(pickle.dumps(X)), copy.deepcopy(X)):  # noqa: S301 - our own
        assert_frame_equal(again.frame, X.frame, check_exact=True)
        assert_frame_equal(again.reasons, X.reasons, check_exact=True)
        assert (again.case, again.late_ticks) == (X.case, X.late_ticks)
    own = Features(X.frame, X._reason_codes, dataclasses.replace(SPIKES, name="own"))
    with pytest.raises(BadInputError, match=r"cannot be pickled\. Name it"):
        pickle.dumps(own)


@pytest.mark.parametrize("case", [5, None, ["spikes"]])
def test_what_is_no_case_is_refused(holed_ticks, case):
    with pytest.raises(BadInputError, match="it is no case"):
        bg.features(holed_ticks, case=case)


def test_what_is_refused_on_the_way_to_features_is_warned_of(holed_ticks):
    frame = own(holed_ticks)
    shuffled = pl.concat([frame, frame.head(3)])
    with pytest.warns(UserWarning, match=r"3 ticks were refused \(3 "):
        X = bg.features(shuffled)
    ticks = bg.read_ticks(shuffled)
    assert "; refused: 3 " in repr(ticks)
    # exact: the same rows
    assert bg.features(ticks).frame.equals(X.frame)
