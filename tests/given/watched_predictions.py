"""Predictions in a log, and a watch that follows them."""

from barograph import codec
from barograph.log import open_log
from barograph.log.topics import PREDICTIONS, ensure_topics
from barograph.pipeline.watch import PredictionWatch
from barograph.types import Message, Prediction, Verdict

NS = 10**9


def prediction(product, second, probability, **more):
    known = {
        "product": product, "second": second, "event_time_ns": (second + 1) * NS,
        "receive_time_ns": (second + 1) * NS, "probability": probability,
        "verdict": Verdict.PREDICTED if probability is not None else Verdict.GAP,
        "alarm": probability is not None and probability >= 0.5, "threshold": 0.5, "tau": 1e-4,
        "horizon_s": 60, "value_now": 5e-5, "mid": 50_000.0, "model": "spikes/3",
    }  # fmt: skip
    return Prediction(**{**known, **more})


def watched(tmp_path, predictions):
    log = open_log(tmp_path)
    ensure_topics(log)
    watch = PredictionWatch(log)
    log.append([Message(PREDICTIONS, p.product, codec.encode(p)) for p in predictions])
    assert watch.look() == len(predictions)
    return watch
