"""Records of the churn case through the embedded log: contract, model, prediction, commit."""

import tempfile
import time
from functools import cache
from pathlib import Path
from statistics import median

from barograph.app import wiring
from barograph.app.settings import Settings
from barograph.cases.churn import CHURN, invent
from barograph.feed.produce import Sending, produce
from barograph.log import open_log
from barograph.pipeline.case_topics import ensure_stream
from barograph.pipeline.worker import when_idle
from barograph.registry.registry import Registry
from barograph.training import record_dataset, train
from barograph.training.dataset import read
from measure import Measured, row, seconds, sized

_RECORDS, _FEW = 50_000, 2_000
_TRAINED_ON = 3_000
_MOST_TURNS = 3


@row("churn: records scored from log to log, in batch", "records/s", ("ours", ">=", 20_000))
def consumed(repeats: int) -> Measured:
    """Customers that lie in the log already, in commits of 4,096; no peer does the same.

    From joining the group to the last commit, in this process: the interpreter's start is the
    demo's business.
    """
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:
        settings = Settings(home=Path(folder))
        _crown(settings.home)
        timed = [_consume(settings) for _ in range(min(repeats, _MOST_TURNS) + 1)][1:]
    return Measured(sized(_RECORDS, _FEW) / median(timed))


def _consume(settings: Settings) -> float:
    records = sized(_RECORDS, _FEW)
    log = open_log(settings.home)
    assert CHURN.stream is not None
    ensure_stream(log, CHURN.stream, settings.partitions)
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:
        file = _written(Path(folder), records, seed=2)
        sending = Sending(batch_size=settings.batch_records)
        assert produce(log, CHURN, file, sending, again=True).sent == records
    log.close()

    def work() -> None:
        done = wiring.consume(
            settings, settings.home, CHURN, _refuse, when_idle, settings.batch_records
        )
        assert done.values == records

    return seconds(work)


@cache
def _records(count: int, seed: int) -> list[bytes]:
    return list(invent(count, seed))


def _written(folder: Path, count: int, seed: int) -> Path:
    file = folder / "customers.ndjson"
    file.write_bytes(b"\n".join(_records(count, seed)) + b"\n")
    return file


def _crown(home: Path) -> None:
    record_dataset.build(home, CHURN, [_written(home, _TRAINED_ON, seed=1)])
    how = train.Training(seed=1, folds=2)
    report = train.train(CHURN, read(home, CHURN), Registry(home), how, clock_ns=time.time_ns)
    assert report.gate.decision.promote, report.gate.decision.reasons


def _refuse(message: str) -> None:
    raise AssertionError(message)
