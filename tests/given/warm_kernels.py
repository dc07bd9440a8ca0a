"""What the parent of `verb_processes.py` loads, so that no command has to do it again."""

from importlib import import_module

from barograph import environment
from barograph.codec import encode
from barograph.feature_set.featurizer import Featurizer
from barograph.log.topics import TICKS
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import Record
from barograph.venues.coinbase.exchange import ExchangeFeed

for module in (
    "app.cli", "app.settings", "app.wiring", "app.terminal.terminal", "app.terminal.listing",
    "log.sqlite", "log.kafka", "feed.live", "feed.replay", "feed.produce",
    "archive.recorded_events", "pipeline.worker", "pipeline.deadletters", "cases.churn",
    "cases.spikes",
):  # fmt: skip
    import_module(f"barograph.{module}")

# What trains and registers.
environment.for_mlflow()
for module in (
    "lightgbm", "sklearn.ensemble", "sklearn.linear_model", "onnx", "mlflow.tracking",
    "mlflow.store.tracking.sqlalchemy_store", "barograph.training.train",
):  # fmt: skip
    import_module(module)

_frames = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 1, 0).advance(3)
_events = [event for frame in _frames for event in ExchangeFeed().receive(frame).events]
Featurizer().receive(
    [Record(TICKS, 0, place, event.product, encode(event)) for place, event in enumerate(_events)]
)
