"""A table of predictions: what a live run says of the same recordings, bit for bit."""

import shutil
from contextlib import closing

import polars as pl
import pytest

from barograph.app.runs.predicting import COLUMNS, PredictPlan, predict
from barograph.app.settings import Settings
from barograph.app.terminal import terminal
from barograph.cases.cold_start import COLD_START
from barograph.cases.spikes import SPIKES
from barograph.codec import decode_prediction
from barograph.errors import BadInputError, TooLittleDataError
from barograph.log import browse, open_log
from barograph.log.topics import PREDICTIONS
from barograph.registry.registry import Registry
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import Verdict
from queues import QUEUES
from registered_models import facts_of, graph
from verb_processes import Life

TAU = {"BTC-USD": 0.0001}


@pytest.fixture
def recording(tmp_path):
    """Seven minutes of two products, of which a model knows one."""
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD", "ETH-USD"], 3, 1_750_000_000 * 10**9)
    path = tmp_path / "market.ndjson"
    path.write_bytes(b"\n".join(frame.data for frame in market.advance(420)) + b"\n")
    return path


@pytest.fixture
def home(made_home, tmp_path):
    home = shutil.copytree(made_home, tmp_path / "home")
    registry, onnx = Registry(home), graph()
    registry.register("spikes", onnx, facts_of(onnx, tau=TAU))
    registry.promote("spikes", 1, "the first")
    return home


def predicted(home, plan):
    settings = Settings(home=home)
    model = Registry(home).load("spikes", "champion", SPIKES.feature_set)
    with terminal.progress() as progress:
        return predict(settings, SPIKES, model, plan, lambda _line: None, progress)


@pytest.mark.slow
def test_a_table_has_the_bits_of_a_live_run(home, recording, tmp_path):
    out = tmp_path / "new" / "p.parquet"
    done = predicted(home, PredictPlan(files=[recording], out=out))
    assert not (home / "log.sqlite").exists()
    Life("replay", recording, "--home", home).answer()
    with closing(open_log(home)) as log:
        live = [decode_prediction(record.value) for record in browse.records(log, PREDICTIONS)]
    live.sort(key=lambda each: (each.event_time_ns, each.product))
    table = pl.read_parquet(out)
    assert dict(table.schema) == COLUMNS
    assert table["time"].to_physical().to_list() == [each.event_time_ns for each in live]
    for column in ("product", "verdict", "alarm", "tau", "model", "threshold"):
        assert table[column].to_list() == [getattr(each, column) for each in live], column
    # exact: the same image of features and model
    assert table["probability"].to_list() == [each.probability for each in live]
    assert done.rows == len(live) > 800
    assert set(done.products) == {"BTC-USD", "ETH-USD"}
    assert sum(done.verdicts.values()) == done.rows
    assert done.verdicts[Verdict.PREDICTED] > 0
    assert done.alarms == sum(each.alarm for each in live)
    assert set(table["model"]) == {"spikes/1", COLD_START}
    assert not list(out.parent.glob("*.partial"))


@pytest.mark.slow
def test_only_the_products_that_are_named_are_scored(home, recording, tmp_path):
    plan = PredictPlan(files=[recording], out=tmp_path / "p.parquet", products=["ETH-USD"])
    assert set(predicted(home, plan).products) == {"ETH-USD"}


@pytest.mark.slow
def test_a_recording_without_a_closed_second_leaves_no_table(home, recording, tmp_path):
    short = tmp_path / "short.ndjson"
    short.write_bytes(recording.read_bytes().split(b"\n")[0] + b"\n")
    out = tmp_path / "p.parquet"
    with pytest.raises((TooLittleDataError, BadInputError)):
        predicted(home, PredictPlan(files=[short], out=out))
    assert not out.exists()


def test_an_out_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path, tmp_path / "file" / "p.parquet"):
        with pytest.raises(BadInputError):
            predict(Settings(), SPIKES, None, PredictPlan(files=[], out=out), None, None)


def test_a_case_that_is_not_of_the_market_is_refused(tmp_path):
    plan = PredictPlan(files=[], out=tmp_path / "p.parquet")
    with pytest.raises(BadInputError, match="not of the market"):
        predict(Settings(), QUEUES, None, plan, None, None)
