"""A home in a notebook: what its log holds, its models, and what comes next."""

import shutil
import threading
from contextlib import closing
from itertools import islice

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import barograph as bg
from barograph import codec
from barograph.cases.market import MARKET
from barograph.errors import BadInputError, RegistryError
from barograph.feature_set.catalogue import NAMES
from barograph.feature_set.featurizer import Featurizer
from barograph.log import browse, open_log
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.worker import when_idle, work
from barograph.registry.registry import Registry
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import Message, Prediction
from homes import Home as FedHome
from market_stages import FEATURIZE, SCORE
from registered_models import facts_of, graph

START_S = 1_750_000_000
TAU = {"BTC-USD": 0.0001}
"""Of the two products of the recording a model knows one."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD", "ETH-USD"], 3, START_S * 10**9)
    frames = market.advance(200)
    market.advance(30)  # lost
    frames += market.advance(400)
    path = tmp_path_factory.mktemp("recorded") / "market.ndjson"
    path.write_bytes(b"".join(frame.data + b"\n" for frame in frames))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory, recording, made_home):
    """A home that replayed the recording, featurized it and scored it with its champion."""
    folder = tmp_path_factory.mktemp("lived") / "home"
    shutil.copytree(made_home, folder)
    registry, onnx = Registry(folder), graph()
    registry.register("spikes", onnx, facts_of(onnx, tau=TAU))
    registry.promote("spikes", 1, "the first")
    fed = FedHome(folder)
    fed.replay(recording)
    with closing(fed.log) as log:
        model = registry.load("spikes", "champion", MARKET.feature_set)
        work(log, FEATURIZE, Featurizer, clock_ns=lambda: 0, until=when_idle)
        work(log, SCORE, lambda: Scorer(MARKET, model), clock_ns=lambda: 0, until=when_idle)
    return folder


@pytest.fixture
def home(folder):
    with bg.open(folder) as home:
        yield home


@pytest.mark.slow
def test_feature_rows_have_their_names_and_are_those_of_the_recording(home, recording):
    live = home.read("ticks.features").sort("product", "second")
    X = bg.features(bg.read_ticks(recording))
    columns = ["product", "second", "log_mid_e9", "return_e9", *NAMES]
    assert_frame_equal(live.select(columns), X[columns], check_exact=True)
    of_log = bg.features(home.ticks()).frame.sort("product", "second")
    assert_frame_equal(of_log, X.frame, check_exact=True)


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
    np.testing.assert_array_equal(np.isnan(ours).any(axis=1), ~known)
    decided = model.predict(X)
    np.testing.assert_array_equal(np.isnan(decided), ~known)
    assert (decided[known] == predictions["alarm"].to_numpy()[known]).all()


@pytest.mark.slow
def test_any_frame_with_the_columns_can_be_scored_and_one_without_is_refused(home, recording):
    model, X = home.model(1), bg.features(bg.read_ticks(recording))
    columns = ["product", *(name for name in model.features if name != "tau")]
    ours = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X[columns].to_pandas()), ours)
    np.testing.assert_array_equal(model.predict_proba(X[columns].to_arrow()), ours)
    with pytest.raises(BadInputError, match="has no column product"):
        model.predict_proba(X[columns[1:]])


def test_a_version_that_is_none_is_refused(home):
    with pytest.raises(RegistryError, match="spikes/7"):
        home.model(7)
    with pytest.raises(BadInputError, match="it is no version"):
        home.model("best")


@pytest.mark.slow
def test_records_are_read_by_time_and_product(home):
    every = home.read("ticks.predictions")
    last = every["event_time_ns"].max()
    some = home.read("ticks.predictions", since="1m", products=["ETH-USD"])
    assert_frame_equal(
        some,
        every.filter(pl.col("product") == "ETH-USD", pl.col("event_time_ns") >= last - 60 * 10**9),
    )
    first = home.read("ticks.predictions", until=START_S + 100)
    assert_frame_equal(first, every.filter(pl.col("event_time_ns") < (START_S + 100) * 10**9))
    assert first.schema["verdict"] == pl.Enum(
        ["PREDICTED", "WARMUP", "GAP", "STALE", "OUT_OF_RANGE", "MODEL_EXPIRED", "NO_MODEL"]
    )


def test_every_topic_can_be_read(home):
    for topic in home.topics:
        assert isinstance(home.read(topic), pl.DataFrame)
    ticks = home.read("ticks.raw")
    assert ticks["type"].unique().sort().to_list() == ["tick", "heartbeat", "gap"]
    assert ticks["bid"].dtype == pl.String  # the venue's digits


def test_records_that_cannot_be_read_are_counted(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "home")
    with closing(open_log(copy)) as log:
        log.append([Message("ticks.predictions", "BTC-USD", b'{"type":"prediction/2"}')])
    with bg.open(copy) as home, pytest.warns(UserWarning, match="1 records of ticks.predictions"):
        home.read("ticks.predictions")


def test_what_comes_is_followed(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "home")
    prediction = codec.decode_prediction(_values(copy, "ticks.predictions")[-1])
    with bg.open(copy) as home, closing(open_log(copy)) as log:
        coming = home.follow("ticks.predictions", products=[prediction.product])
        appended = threading.Timer(
            0.2, lambda: log.append([_message(prediction), _message(prediction)])
        )
        appended.start()
        assert list(islice(coming, 2)) == [prediction, prediction]
        appended.join()
        coming.close()


@pytest.mark.slow
def test_alerts_of_predictions_are_told_as_they_begin_and_end(home):
    coming = home.follow("ticks.predictions", alerts=True, since="1h", products=["BTC-USD"])
    began = next(coming)
    assert (began.change, began.case, began.subject) == ("began", "spikes", "BTC-USD")
    assert began.text.startswith("BTC-USD")
    coming.close()


def test_a_place_without_a_home_is_refused_and_stays_without_one(tmp_path):
    with pytest.raises(BadInputError, match="there is no such home"):
        bg.open(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="there is no log"):
        bg.open(tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_log_without_a_home_has_no_models(folder):
    with bg.open(f"sqlite:///{folder}/log.sqlite") as log:
        assert "ticks.predictions" in log.topics
        with pytest.raises(BadInputError, match="its log has no home"):
            log.model()
    with bg.open(f"sqlite:///{folder}/log.sqlite", home=folder) as log:
        assert log.model().label == "spikes/1"


def _values(folder, topic):
    with closing(open_log(folder)) as log:
        return [record.value for record in browse.records(log, topic)]


def _message(prediction: Prediction):
    return Message("ticks.predictions", prediction.product, codec.encode(prediction))
