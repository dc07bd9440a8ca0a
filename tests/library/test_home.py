"""A home in a notebook: what its log holds, its models, and what comes next."""

import shutil
import threading
from contextlib import closing
from itertools import islice

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import barograph as bg
from barograph import codec
from barograph.errors import BadInputError
from barograph.feature_set.catalogue import NAMES
from barograph.log import browse, open_log
from barograph.registry.registry import Registry
from barograph.types import Message, Prediction
from lived_home import TAU
from registered_models import facts_of, graph


@pytest.mark.slow
def test_feature_rows_have_their_names_and_are_those_of_the_recording(home, recording):
    live = home.read("ticks.features").sort("product", "second")
    X = bg.features(bg.read_ticks(recording))
    columns = ["product", "second", "log_mid_e9", "return_e9", *NAMES]
    assert_frame_equal(live.select(columns), X[columns], check_exact=True)
    of_log = bg.features(home.ticks()).frame.sort("product", "second")
    assert_frame_equal(of_log, X.frame, check_exact=True)


@pytest.mark.slow
def test_records_are_read_by_time_and_product(home):
    every = home.read("ticks.predictions")
    last = every["event_time_ns"].max()
    some = home.read("ticks.predictions", since="1m", products=["ETH-USD"])
    assert_frame_equal(
        some,
        every.filter(pl.col("product") == "ETH-USD", pl.col("event_time_ns") >= last - 60 * 10**9),
    )
    first = home.read("ticks.predictions", until=1_750_000_000 + 100)
    assert_frame_equal(first, every.filter(pl.col("event_time_ns") < (1_750_000_000 + 100) * 10**9))
    assert first.schema["verdict"] == pl.Enum(
        ["PREDICTED", "WARMUP", "GAP", "STALE", "OUT_OF_RANGE", "MODEL_EXPIRED", "NO_MODEL"]
    )


def test_a_topic_has_the_same_columns_and_types_where_nothing_is_found(home):
    for topic in home.topics:
        found = home.read(topic)
        for none in (
            home.read(topic, products=["XRP-USD"]),
            home.read(topic, since=4_000_000_000),
        ):
            assert none.schema == found.schema
            assert len(none) == 0
    assert set(NAMES) < set(home.read("ticks.features", products=[]).columns)


@pytest.mark.parametrize("topic", ["", 5, None, ["ticks.raw"]])
def test_what_is_no_topic_is_refused_as_it_is_asked_for(home, topic):
    for ask in (home.read, home.follow):
        with pytest.raises(BadInputError, match=r"Name one of home\.topics"):
            ask(topic)


def test_a_product_alone_is_no_list_of_products(home):
    for ask in (home.read, home.follow):
        with pytest.raises(BadInputError, match=r"products=\['BTC-USD'\]"):
            ask("ticks.raw", products="BTC-USD")
    with pytest.raises(BadInputError, match="no list of names"):
        home.ticks(products="BTC-USD")


@pytest.mark.parametrize(
    ("topic", "case"),
    [("ticks.raw", "spikes"), ("ticks.features", "spikes"), ("ticks.predictions", "hourly")],
)
def test_alerts_of_a_topic_without_predictions_of_the_case_are_refused_at_once(home, topic, case):
    """They were waited for, for ever."""
    with pytest.raises(BadInputError, match=f"no predictions of case {case}"):
        home.follow(topic, alerts=True, case=case)


def test_a_home_that_was_closed_says_so(folder):
    home = bg.open(folder)
    begun = home.follow("ticks.raw")
    home.close()
    home.close()
    asks = (
        lambda: home.topics,
        lambda: home.read("ticks.raw"),
        lambda: home.follow("ticks.raw"),
        lambda: next(begun),
        home.ticks,
    )
    for ask in asks:
        with pytest.raises(BadInputError, match=r"it is closed\. Open it again"):
            ask()


@pytest.mark.parametrize("address", ["", 5, None, b"H"])
def test_what_is_no_address_is_refused(address, folder):
    with pytest.raises(BadInputError, match="no text that names one"):
        bg.open(address)
    if address is not None:
        with pytest.raises(BadInputError, match="home="):
            bg.open(folder, home=address)


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


def test_a_home_that_was_trained_from_files_has_models_and_no_log(made_home, tmp_path):
    home = shutil.copytree(made_home, tmp_path / "home")
    registry, onnx = Registry(home), graph()
    registry.register("spikes", onnx, facts_of(onnx, tau=TAU))
    registry.promote("spikes", 1, "the first")
    assert not (home / "log.sqlite").exists()
    with bg.open(home) as opened:
        assert opened.model("champion").label == "spikes/1"
        assert repr(opened) == f"Home({str(home)!r})"
        for ask in (lambda: opened.topics, lambda: opened.read("ticks.raw"), opened.ticks):
            with pytest.raises(BadInputError, match=r"there is no log\. Feed one first"):
                ask()
    assert not (home / "log.sqlite").exists()


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
