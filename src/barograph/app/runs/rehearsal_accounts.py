"""The accounts of a rehearsal: expected and actual results of the records, and latencies.

The contract decides the expected result of a record: a prediction, or a dead letter with its
fault. Nothing here reads a log or a clock.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import inspect

from barograph import codec
from barograph.app.wiring import Consumed
from barograph.cases.contract import Contract, RecordRefusedError
from barograph.cases.record_file import RecordLine
from barograph.evaluation.scores import ReliabilityBin
from barograph.feed.produce import PRODUCED_TIME, Produced
from barograph.training.record_dataset import RecordManifest
from barograph.training.report import TrainingReport
from barograph.types import APPENDED_TIME, DeadLetter, Record, RecordPrediction

_LONG_BYTES = 1_000_000
_SHOWN_BYTES = 2000
_BUCKETS_A_DECADE = 10


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """Number of records with a latency from `from_ms` (inclusive) to `to_ms` (exclusive)."""

    from_ms: float
    to_ms: float
    records: int


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from sending a record to reading its prediction; None without records."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    histogram: list[Bucket]


class Inference(msgspec.Struct, frozen=True, kw_only=True):
    """Microseconds per record in contract and model, without the log; None without records."""

    mean_us: float | None
    p99_us: float | None


class ModeAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one mode.

    `ahead` records were sent first, so that the consumer was running when the others came; only
    `consumer` counts them. `records`, `predictions` and `dead_letters` count what a reader of the
    log received of the others, `flagged` the predictions that reach the threshold. `lost` counts
    missing records, predictions and letters, `invented` unexpected ones.
    """

    producer: Produced
    consumer: Consumed
    ahead: int
    records: int
    predictions: int
    verdicts: dict[str, int]
    flagged: int
    dead_letters: dict[str, int]
    lost: int
    invented: int
    latency: Latency
    inference: Inference


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One record and its prediction, each with its "topic/partition@offset" and the log's time."""

    mode: str
    key: str
    record: str
    record_place: str
    produced_time_ns: int
    record_appended_time_ns: int
    prediction: RecordPrediction
    prediction_place: str
    prediction_appended_time_ns: int
    latency_ms: float
    inference_us: float


class RefusedSample(msgspec.Struct, frozen=True, kw_only=True):
    """One dead letter of a fault; `original` is the record's start, `bytes` its full length."""

    fault: str
    detail: str
    identity: str
    key: str
    original: str
    bytes: int


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a rehearsal; `ok` is true if nothing was lost or invented.

    `invented_records` is true if the records were generated because no file was given. `champion`
    is "case/version", or null if no version was promoted. `reliability` is the champion's, on the
    `unseen_rows` of the dataset that it was not fitted on. `started_time_ns` is wall clock.
    `dead_letters_command` lists the refused records, or is null if the log was temporary.
    """

    ok: bool
    problems: list[str]
    case: str
    log: str
    file: str
    invented_records: bool
    started_time_ns: int
    seconds: float
    phase_seconds: dict[str, float]
    dataset: RecordManifest
    training: TrainingReport
    champion: str | None
    unseen_rows: int
    reliability: list[ReliabilityBin]
    stream: ModeAccount
    batch: ModeAccount
    samples: list[Sample]
    refused: list[RefusedSample]
    dead_letters_command: str | None


class Arrival(NamedTuple):
    """A record of a log, and when a reader received it, in wall-clock nanoseconds."""

    record: Record
    seen_time_ns: int


class StreamArrivals(NamedTuple):
    """The records read from a stream's three topics, in order within each key."""

    records: list[Arrival]
    predictions: list[Arrival]
    dead_letters: list[Arrival]


class Trace(NamedTuple):
    """A record and its prediction."""

    record: Arrival
    prediction: Arrival

    @property
    def latency_ms(self) -> float:
        """Milliseconds from sending the record to reading its prediction."""
        return (self.prediction.seen_time_ns - int(self.record.record.headers[PRODUCED_TIME])) / 1e6

    @property
    def inference_us(self) -> float:
        """Microseconds of contract and model within the latency."""
        return int(self.prediction.record.headers["inference_ns"]) / 1e3


def poisoned(contract: Contract, value: bytes) -> Iterator[bytes]:
    """Yield copies of a good record, each broken in a different way that the contract refuses.

    A missing field, text for a number, a number below its bound, an unknown category, a field of
    1 MB, and a truncated record.
    """
    record = msgspec.json.decode(value)
    first = contract.features[0]
    yield msgspec.json.encode({name: cell for name, cell in record.items() if name != first})
    if numbers := _lowest(contract):
        name, low = numbers[0]
        yield msgspec.json.encode(record | {name: "a lot"})
        yield msgspec.json.encode(record | {name: low - 1})
    for column in contract.columns:
        if column.categories:
            yield msgspec.json.encode(record | {column.name: "none of these"})
            break
    yield msgspec.json.encode(record | {"note": "x" * _LONG_BYTES})
    yield value[: len(value) // 2]


def _lowest(contract: Contract) -> list[tuple[str, float]]:
    """Non-nullable number fields that have a lower bound, with that bound."""
    kinds = {
        field.encode_name: inspect.type_info(field.type)
        for field in msgspec.structs.fields(contract.words)
    }
    return [
        (name, low)
        for name, kind in kinds.items()
        if isinstance(kind, inspect.IntType | inspect.FloatType)
        and (low := kind.gt if kind.ge is None else kind.ge) is not None
    ]


def spread(records: Sequence[bytes], among: Sequence[bytes]) -> list[bytes]:
    """`among` with `records` inserted at even distances."""
    mixed = list(among)
    for place in range(len(records), 0, -1):
        mixed.insert(place * len(among) // (len(records) + 1), records[place - 1])
    return mixed


def differences(
    contract: Contract, sent: Iterable[RecordLine], seen: StreamArrivals
) -> tuple[Counter[str], ...]:
    """(lost, invented): counts of missing and of unexpected results, by description."""
    due: Counter[tuple[str, str, bytes]] = Counter()
    for line in sent:
        due["record", line.key, line.value] += 1
        fault = fault_of(contract, line.value)
        what = ("prediction", line.key, b"") if fault is None else (fault, line.key, line.value)
        due[what] += 1
    present = Counter(("record", each.key, each.value) for each, _ in seen.records)
    present.update(("prediction", each.key, b"") for each, _ in seen.predictions)
    for each, _ in seen.dead_letters:
        letter = codec.decode_dead_letter(each.value)
        present[letter.fault, letter.key, letter.original] += 1
    return _in_words(due - present), _in_words(present - due)


def fault_of(contract: Contract, value: bytes) -> str | None:
    """The fault for which the contract refuses a record; None if it is accepted."""
    try:
        contract.decode(value)
    except RecordRefusedError as refused:
        return refused.fault
    return None


def _in_words(difference: Counter[tuple[str, str, bytes]]) -> Counter[str]:
    words: Counter[str] = Counter()
    for (what, key, _), count in difference.items():
        words[f"{what} of {key or 'a record without a key'}"] += count
    return words


def traced(contract: Contract, seen: StreamArrivals) -> list[Trace]:
    """Pair accepted records with their predictions, in order within each key.

    Records not sent by `produce`, and their predictions, are left out.
    """
    waiting: defaultdict[str, deque[Arrival]] = defaultdict(deque)
    for arrival in seen.predictions:
        waiting[arrival.record.key].append(arrival)
    pairs = [
        Trace(arrival, waiting[arrival.record.key].popleft())
        for arrival in seen.records
        if waiting[arrival.record.key] and fault_of(contract, arrival.record.value) is None
    ]
    return [pair for pair in pairs if PRODUCED_TIME in pair.record.record.headers]


def latency(traces: Sequence[Trace]) -> Latency:
    """Latency quantiles and histogram of `traces`; quantiles are None if there are none."""
    if not traces:
        nothing = dict.fromkeys(("p50_ms", "p95_ms", "p99_ms", "max_ms"))
        return Latency(count=0, histogram=[], **nothing)
    taken_ms = np.array([trace.latency_ms for trace in traces])
    p50, p95, p99, longest = np.round(np.quantile(taken_ms, [0.5, 0.95, 0.99, 1]), 3).tolist()
    # Clock steps can make a latency zero or negative: it counts in the lowest bucket.
    exponents = np.floor(np.log10(np.maximum(taken_ms, 0.1)) * _BUCKETS_A_DECADE).astype(int)
    counts = Counter(exponents.tolist())
    return Latency(
        count=len(traces),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=longest,
        histogram=[
            Bucket(from_ms=_edge_ms(bucket), to_ms=_edge_ms(bucket + 1), records=counts[bucket])
            for bucket in range(min(counts), max(counts) + 1)
        ],
    )


def _edge_ms(bucket: int) -> float:
    return float(f"{10 ** (bucket / _BUCKETS_A_DECADE):.4g}")


def inference(traces: Sequence[Trace]) -> Inference:
    """Mean and p99 inference time of `traces`; None if there are none."""
    if not traces:
        return Inference(mean_us=None, p99_us=None)
    taken_us = np.array([trace.inference_us for trace in traces])
    mean_us, p99_us = float(taken_us.mean()), float(np.quantile(taken_us, 0.99))
    return Inference(mean_us=round(mean_us, 1), p99_us=round(p99_us, 1))


def samples(mode: str, traces: Sequence[Trace], count: int) -> list[Sample]:
    """At most `count` samples, evenly spaced over `traces`."""
    places = np.linspace(0, len(traces) - 1, min(count, len(traces))).astype(int)
    return [_sample(mode, traces[place]) for place in places]


def _sample(mode: str, trace: Trace) -> Sample:
    record, prediction = trace.record.record, trace.prediction.record
    return Sample(
        mode=mode,
        key=record.key,
        record=_beginning(record.value),
        record_place=_place(record),
        produced_time_ns=int(record.headers[PRODUCED_TIME]),
        record_appended_time_ns=int(record.headers[APPENDED_TIME]),
        prediction=codec.decode_record_prediction(prediction.value),
        prediction_place=_place(prediction),
        prediction_appended_time_ns=int(prediction.headers[APPENDED_TIME]),
        latency_ms=round(trace.latency_ms, 3),
        inference_us=round(trace.inference_us, 1),
    )


def refused_samples(letters: Iterable[DeadLetter]) -> list[RefusedSample]:
    """The first letter of each fault."""
    first: dict[str, DeadLetter] = {}
    for letter in letters:
        first.setdefault(letter.fault, letter)
    return [
        RefusedSample(
            fault=fault,
            detail=letter.detail,
            identity=letter.identity,
            key=letter.key,
            original=_beginning(letter.original),
            bytes=len(letter.original),
        )
        for fault, letter in sorted(first.items())
    ]


def _beginning(value: bytes) -> str:
    return value[:_SHOWN_BYTES].decode("utf-8", "replace")


def _place(record: Record) -> str:
    return f"{record.topic}/{record.partition}@{record.offset}"
