"""A registered model in a notebook: what the live scorer says, and NaN where it says nothing."""

import numpy as np
import polars as pl
import pytest

import barograph as bg
from barograph.errors import BadInputError, RegistryError


@pytest.mark.slow
def test_a_model_gives_the_probabilities_of_the_live_scorer(home, recording):
    model, X = home.model("champion"), bg.features(bg.read_ticks(recording))
    predictions = home.read("ticks.predictions").sort("product", "second")
    scored = predictions["model"] == model.label
    live = predictions.select(
        pl.when(scored).then("probability").fill_null(np.nan).alias("probability")
    )["probability"].to_numpy()
    ours = model.predict_proba(X)
    # exact: one row at a time, as live
    np.testing.assert_array_equal(ours[:, 1], live)
    known = ~np.isnan(live)
    assert known.any()
    assert not known.all()
    # exact: which are known, no numbers
    np.testing.assert_array_equal(np.isnan(ours).any(axis=1), ~known)
    decided = model.predict(X)
    # exact: which are known, no numbers
    np.testing.assert_array_equal(np.isnan(decided), ~known)
    # exact: which are known, no numbers
    assert (decided[known] == predictions["alarm"].to_numpy()[known]).all()


@pytest.mark.slow
def test_any_frame_with_the_columns_can_be_scored_and_one_without_is_refused(home, recording):
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    model, X = home.model(1), bg.features(bg.read_ticks(recording))
    columns = ["product", *(name for name in model.features if name != "tau")]
    ours = model.predict_proba(X)
    # exact: the same values, moved
    np.testing.assert_array_equal(model.predict_proba(X[columns].to_pandas()), ours)
    # exact: the same values, moved
    np.testing.assert_array_equal(model.predict_proba(X[columns].to_arrow()), ours)
    with pytest.raises(BadInputError, match="has no column product"):
        model.predict_proba(X[columns[1:]])


def test_a_version_that_is_none_is_refused(home):
    with pytest.raises(RegistryError, match="spikes/7"):
        home.model(7)
    with pytest.raises(BadInputError, match="it is no version"):
        home.model("best")
