"""Logs for the live page: what a pipeline would have written, of times around now."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from barograph.alert_records import PROBABILITY, AlertRecord, Change
from barograph.app.settings import Settings
from barograph.app.web.server import WebServer, listening
from barograph.cases.case import Case, stream_of
from barograph.cases.churn import CHURN
from barograph.cases.spikes import SPIKES
from barograph.codec import encode
from barograph.log import open_log
from barograph.log.topics import (
    ALERTS,
    DEAD_LETTERS,
    PREDICTIONS,
    STATUS,
    TICKS,
    ensure_alert_topics,
    ensure_topics,
)
from barograph.pipeline.case_topics import ensure_stream
from barograph.types import (
    DeadLetter,
    Fault,
    FeedStatus,
    Gap,
    GapCause,
    Message,
    Prediction,
    RecordPrediction,
    Verdict,
)

STREAM = stream_of(CHURN)
NS = 10**9
TAU = 1e-4
THRESHOLD = 0.4
MODEL = "spikes/3"


def prediction(product: str, second: int, probability: float | None = 0.1, **more) -> Prediction:
    known = {
        "product": product,
        "second": second,
        "event_time_ns": (second + 1) * NS,
        "receive_time_ns": (second + 1) * NS + 4_000_000,
        "verdict": Verdict.PREDICTED if probability is not None else Verdict.GAP,
        "probability": probability,
        "alarm": probability is not None and probability >= THRESHOLD,
        "threshold": THRESHOLD,
        "tau": TAU,
        "horizon_s": 60,
        "value_now": TAU / 2,
        "mid": 64_000.0,
        "model": MODEL,
    }
    return Prediction(**{**known, **more})


class PageLog:
    """The log of a home, for a test to write into."""

    def __init__(self, home: Path) -> None:
        self.home, self._log = home, open_log(home)
        ensure_topics(self._log)
        ensure_alert_topics(self._log)
        ensure_stream(self._log, STREAM)

    def close(self) -> None:
        self._log.close()

    def predict(self, *predictions: Prediction) -> None:
        self._log.append([Message(PREDICTIONS, p.product, encode(p)) for p in predictions])

    def gap(self, product: str, start_s: int, end_s: int, cause: GapCause, missing=None) -> None:
        gap = Gap(
            product=product, start_ns=start_s * NS, end_ns=end_s * NS, cause=cause, missing=missing
        )
        self._log.append([Message(TICKS, product, encode(gap))])

    def alert(self, change: Change, started_s: int, text: str, **more) -> AlertRecord:
        known = {
            "id": f"alert-{started_s}",
            "rule": PROBABILITY,
            "subject": "BTC-USD",
            "change": change,
            "time_ns": started_s * NS,
            "started_ns": started_s * NS,
            "text": text,
            "case": "spikes",
            "probability": 0.6,
            "threshold": THRESHOLD,
            "tau": TAU,
            "model": MODEL,
            "horizon_s": 60,
        }
        record = AlertRecord(**{**known, **more})
        self._log.append([Message(ALERTS, record.id, encode(record))])
        return record

    def status(self, time_s: int, *, passed: int = 600, reconnects: int = 2) -> None:
        status = FeedStatus(
            venue="simulated",
            connection="c1",
            dialect="exchange",
            products=("BTC-USD", "ETH-USD"),
            time_ns=time_s * NS,
            since_ns=(time_s - 3_600) * NS,
            frames=40_000,
            reconnects=reconnects,
            queued=0,
            queue_full=0,
            open_holes=0,
            offset_median_ms=-3.4,
            passed=passed,
        )
        self._log.append([Message(STATUS, "simulated", encode(status))])

    def score(self, *probabilities: float | None) -> None:
        """Records of the churn case as they came, and what the scorer said of each."""
        messages = []
        for i, probability in enumerate(probabilities):
            score = RecordPrediction(
                case=CHURN.name,
                key=f"customer-{i}",
                verdict=Verdict.PREDICTED if probability is not None else Verdict.NO_MODEL,
                probability=probability,
                label=probability is not None and probability >= THRESHOLD,
                threshold=THRESHOLD,
                model="churn/1",
            )
            messages.append(Message(STREAM.target, score.key, encode(score)))
        self._log.append(messages)

    def refuse_records(self, fault: Fault, count: int) -> None:
        self._refuse(STREAM.dead_letters, STREAM.source, fault, count)

    def refuse(self, fault: Fault, count: int) -> None:
        self._refuse(DEAD_LETTERS, TICKS, fault, count)

    def _refuse(self, topic: str, source: str, fault: Fault, count: int) -> None:
        letters = [
            DeadLetter(
                fault=fault, detail="", source=source, position=str(i), key=str(i), original=b"?"
            )
            for i in range(count)
        ]
        self._log.append([Message(topic, each.key, encode(each)) for each in letters])


@contextmanager
def served(home: Path, cases: Sequence[Case] = (SPIKES, CHURN)) -> Iterator[str]:
    """The address of the real server over a home's log, in this process, while the block runs."""
    settings, listener = Settings(home=home), listening("127.0.0.1", 0)
    with WebServer(settings, home, list(cases), listener, lambda _line: None) as server:
        yield server.url


def now_s() -> int:
    return int(time.time())


def soon_s() -> int:
    """A little ahead: what a log has until then is not old as soon as a machine is busy."""
    return now_s() + 40


def an_hour(log: PageLog, product: str, end_s: int, *, seed: int = 3, price: float = 64_000.0):
    """An hour that has seen all: calm, hits, a false alarm, a miss, a gap and its warm-up."""
    rng = np.random.default_rng(seed)
    start_s = end_s - 3_600
    storms = ((700, 90), (1_500, 60), (2_450, 70), (3_250, 60))
    unannounced, feigned, gap = 1_500, (2_000, 25), (2_700, 2_760)
    mid, rows = price, []
    for i in range(3_600):
        strength = max(
            (math.sin(math.pi * (i - a) / n) for a, n in storms if a <= i < a + n), default=0
        )
        volatility = TAU * (
            0.45 + 0.12 * math.sin(i / 170) + 0.03 * rng.standard_normal() + strength
        )
        mid *= 1 + rng.standard_normal() * volatility
        said = max(
            (0.75 for a, n in storms if a != unannounced and a - 45 <= i < a + n * 0.7),
            default=0.6 if feigned[0] <= i < sum(feigned) else 0.08,
        )
        said = min(0.97, max(0.01, said + 0.04 * rng.standard_normal()))
        if gap[0] <= i < gap[1]:
            continue
        silent = gap[1] <= i < gap[1] + 60
        rows.append(
            prediction(
                product,
                start_s + i,
                None if silent else said,
                mid=round(mid, 2),
                value_now=None if silent else abs(volatility),
            )
        )
    log.predict(*rows)
    log.gap(product, start_s + gap[0], start_s + gap[1], GapCause.DISCONNECT, missing=31)
