"""The rehearsal: run a record case as in production, measure it and account for every record.

1.  Build a dataset of the file, train a model on it and gate it.
2.  Stream: send records one by one, bad ones among them, to a consumer that waits for them.
3.  Batch: send the whole file in batches, then start a consumer that processes it.

Producers and consumers are the verbs `produce` and `consume`, as child processes. A reader with its
own consumer group reads the log: its records are compared with what the contract demands, and the
time at which it has a prediction ends the latency of that record.
"""

import shlex
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

import msgspec
import numpy as np

from barograph import codec
from barograph.app.reports import rehearsal_page
from barograph.app.runs import rehearsal_accounts
from barograph.app.runs.children import Child, absolute, environment
from barograph.app.runs.rehearsal_accounts import (
    Arrival,
    ModeAccount,
    Rehearsal,
    StreamArrivals,
    Trace,
)
from barograph.app.settings import Settings
from barograph.app.terminal import terminal, training_summary
from barograph.app.wiring import Consumed
from barograph.cases import churn
from barograph.cases.case import Case, Table, stream_of
from barograph.cases.contract import Contract, Stream
from barograph.cases.record_file import lines
from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.evaluation.scores import ReliabilityBin, reliability
from barograph.feed.produce import Produced, Sending, produce
from barograph.files import scratch
from barograph.files.disk import check_room, declared, write_whole
from barograph.log import Log, open_log
from barograph.pipeline.case_topics import ensure_stream
from barograph.registry.registry import Registry
from barograph.training import dataset, record_dataset, train
from barograph.types import DeadLetter, Record, TopicPartition

A = TypeVar("A")

_INVENTED_RECORDS = 5000
_PAGE_BYTES = 4 << 20
_LEAST_UNSEEN = 100
_SAMPLES = 5
_NAMED = 3
_READ_AT_ONCE = 5000
_LOOK_S = 0.05
_PATIENCE_S = 60.0
"""Seconds without any new record after which waiting ends."""


class RehearsalPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How to rehearse `case`, whose name on the command line is `named`.

    Without a `file` records are generated. The stream takes half of `seconds` at `rate` records per
    second, or less if the file is shorter. `log` replaces the log in home. `keeps_home` says that
    the home outlives the rehearsal.
    """

    case: Case
    named: str
    file: Path | None
    log: str | None
    seconds: float
    rate: float
    keeps_home: bool

    def __post_init__(self) -> None:
        Sending(rate=self.rate)  # validates the rate
        if self.seconds <= 0:
            raise BadInputError(
                f"--seconds {self.seconds:g}", "it is not above 0", "Give a number above 0"
            )


def rehearse(settings: Settings, plan: RehearsalPlan, reports: Path) -> Rehearsal:
    """Rehearse in `settings.home`; write `summary.json` and `index.html` to `reports`/<case>/.

    No one else may use the topics of the case meanwhile: other records would count as invented.
    Records left by an interrupted rehearsal are consumed first.
    Raises BadInputError for a file without good records, a folder that cannot be created, or a
    failing verb; also raises as `train`.
    """
    started_ns = time.time_ns()
    console = terminal.Screen(stderr=True)
    phases = terminal.Phases(console)
    case, home = plan.case, settings.home
    stream = stream_of(case)
    with ExitStack() as open_things:
        folder = open_things.enter_context(scratch.folder("barograph-rehearsal-"))
        file = plan.file or _invented(case, folder)
        good = _some_good(file, stream.contract, max(1, round(plan.rate * plan.seconds / 2)))
        log = open_things.enter_context(closing(open_log(plan.log or home)))
        place = _folder(reports / case.name)
        ensure_stream(log, stream, settings.partitions)
        with phases.of("dataset"):
            manifest = record_dataset.build(home, case, [file])
        with phases.of("training"):
            data = dataset.read(home, case)
            how = train.Training(seed=settings.seed, folds=settings.folds)
            report = train.train(case, data, Registry(home), how, clock_ns=time.time_ns)
        training_summary.show(console, report)
        stage = open_things.enter_context(_Stage(log, plan, settings, folder))
        with phases.of("log: topics, and what an earlier run left in them"):
            stage.clear()
        with phases.of(f"stream: {plan.rate:g} records a second, bad ones among them"):
            streamed, traces = stage.stream(good)
        with phases.of("batch: the whole file"):
            batched, batch_traces = stage.batch(file)
    champion, bins, unseen = _champion(home, case, case.table(data.frame))
    done = Rehearsal(
        ok=not stage.problems,
        problems=stage.problems,
        case=case.name,
        log=plan.log or "embedded",
        file=file.name,
        invented_records=plan.file is None,
        started_time_ns=started_ns,
        seconds=round((time.time_ns() - started_ns) / 1e9, 3),
        phase_seconds=phases.seconds,
        dataset=manifest,
        training=report,
        champion=champion,
        unseen_rows=unseen,
        reliability=bins,
        stream=streamed,
        batch=batched,
        samples=rehearsal_accounts.samples("stream", traces, _SAMPLES)
        + rehearsal_accounts.samples("batch", batch_traces, _SAMPLES),
        refused=rehearsal_accounts.refused_samples(stage.letters),
        dead_letters_command=_command(plan, home),
    )
    write_whole(place / "summary.json", msgspec.json.format(msgspec.json.encode(done)))
    write_whole(place / "index.html", rehearsal_page.page(done).encode())
    return done


def _command(plan: RehearsalPlan, home: Path) -> str | None:
    """The command that lists the refused records; None if their log ends with the rehearsal."""
    if not (plan.log or plan.keeps_home):
        return None
    place = ("--log", absolute(plan.log)) if plan.log else ("--home", str(home.absolute()))
    return shlex.join(("barograph", "deadletters", "list", "--case", plan.named, *place))


def _invented(case: Case, folder: Path) -> Path:
    """Write a file of generated churn records. Raises BadInputError for any other case."""
    if case is not churn.CHURN:
        raise BadInputError(
            f"case {case.name}", "records cannot be generated for it", "Name a FILE of records"
        )
    return _file(folder / "invented.ndjson", churn.invent(_INVENTED_RECORDS, 1))


def _folder(path: Path) -> Path:
    try:
        with declared(path):
            path.mkdir(parents=True, exist_ok=True)
        check_room(path, _PAGE_BYTES)  # fail before the work
    except BadInputError as error:
        raise BadInputError(str(path), error.why, "Name another folder (--reports)") from error
    return path


def _file(path: Path, records: Iterable[bytes]) -> Path:
    write_whole(path, b"".join(record + b"\n" for record in records))
    return path


def _some_good(file: Path, contract: Contract, count: int) -> list[bytes]:
    """At most the first `count` good records of a file. Raises BadInputError if none."""
    values = (line.value for line in lines(file, contract))
    accepted = (value for value in values if not rehearsal_accounts.fault_of(contract, value))
    good = list(islice(accepted, count))
    if not good:
        raise BadInputError(
            str(file), "no record in it satisfies the contract", "Give a file of the case's records"
        )
    return good


def _champion(home: Path, case: Case, table: Table) -> tuple[str | None, list[ReliabilityBin], int]:
    """(label, reliability bins, rows) of the champion on rows that it was not fitted on.

    The label is None without a champion; bins are empty below 100 rows.
    """
    registry = Registry(home)
    version = registry.champion_version(case.name)
    if version is None:
        return None, [], 0
    champion = registry.load(case.name, version, case.feature_set)
    rows = np.arange(len(table.order))
    rows = rows[case.unseen(table, rows, champion.facts)]
    if len(rows) < _LEAST_UNSEEN:
        return champion.label, [], len(rows)
    probabilities = champion.onnx.predict(table.columns(champion.facts.features, rows))
    return champion.label, reliability(table.outcome[rows], probabilities), len(rows)


class _Stage:
    """Runs the verbs as child processes and reads the log beside them."""

    def __init__(self, log: Log, plan: RehearsalPlan, settings: Settings, folder: Path) -> None:
        self.problems: list[str] = []
        self.letters: list[DeadLetter] = []
        self._log, self._plan, self._folder = log, plan, folder
        self._settings = settings
        self._stream = stream_of(plan.case)
        self._reader = _Reader(log, self._stream, f"{plan.case.name}-rehearsal")
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.kill()
        self._reader.leave()

    def clear(self) -> None:
        """Consume records left in the log, and skip them in the reader."""
        if any(extent.next for extent in self._log.extents(self._stream.source)):
            self._answer(self._start("consume"), Consumed)
        self._reader.skip()

    def stream(self, records: Sequence[bytes]) -> tuple[ModeAccount, list[Trace]]:
        """Send `records` one by one, bad ones among them, to a waiting consumer."""
        bad = list(rehearsal_accounts.poisoned(self._stream.contract, records[0]))
        file = _file(self._folder / "stream.ndjson", rehearsal_accounts.spread(bad, records))
        consumer = self._start("consume", "--mode", "stream")
        # The last record: with the first one, `produce` would resume the stream's file behind it.
        ahead = _file(self._folder / "ahead.ndjson", records[-1:])
        produce(self._log, self._plan.case, ahead, Sending(), again=True)
        self._read_until_done_with(1)
        self._reader.take()
        rate = str(self._plan.rate)
        producer = self._start(
            "produce", str(file.absolute()), "--again", "--mode", "stream", "--rate", rate
        )
        produced = self._answer(producer, Produced)
        self._read_until_done_with(produced.sent)
        consumer.terminate()
        return self._account("stream", file, produced, self._answer(consumer, Consumed), ahead=1)

    def batch(self, file: Path) -> tuple[ModeAccount, list[Trace]]:
        """Send the whole file, then start a consumer that processes it."""
        produced = self._answer(self._start("produce", str(file.absolute()), "--again"), Produced)
        consumed = self._answer(self._start("consume"), Consumed)
        self._read_until_done_with(produced.sent)
        return self._account("batch", file, produced, consumed, ahead=0)

    def _start(self, verb: str, *words: str) -> Child:
        words += ("--case", self._plan.named, "--home", str(self._settings.home.absolute()))
        words += ("--log", absolute(self._plan.log)) if self._plan.log else ()
        child = Child([verb, *words, "--json"], environment(self._settings))
        self._children.append(child)
        return child

    def _answer(self, child: Child, kind: type[A]) -> A:
        """Wait for a verb and decode its JSON answer; keep reading the log meanwhile."""
        while (code := child.wait(0)) is None:
            self._reader.look()
        if code:
            why = child.why().removesuffix(".")
            raise BadInputError(
                "a verb of the rehearsal failed", why, "Correct that and run it again"
            )
        return msgspec.json.decode(child.out(), type=kind)

    def _read_until_done_with(self, records: int) -> None:
        """Read until `records` records and their results arrived, or nothing arrives any more."""
        heard_s = time.monotonic()
        while self._reader.done < records and time.monotonic() - heard_s < _PATIENCE_S:
            if self._reader.look():
                heard_s = time.monotonic()

    def _account(
        self, mode: str, file: Path, produced: Produced, consumed: Consumed, *, ahead: int
    ) -> tuple[ModeAccount, list[Trace]]:
        contract = self._stream.contract
        sent = islice(lines(file, contract), produced.skipped, produced.skipped + produced.sent)
        while self._reader.look():  # surplus records may come last
            pass
        seen = self._reader.take()
        try:
            letters = [codec.decode_dead_letter(each.value) for each, _ in seen.dead_letters]
            predictions = [
                codec.decode_record_prediction(each.value) for each, _ in seen.predictions
            ]
        except UNREADABLE as error:
            raise BadInputError(
                f"{self._stream.target} or {self._stream.dead_letters}",
                f"another writer puts records there that are neither ({error})",
                "Rehearse in a separate namespace or --home",
            ) from error
        lost, invented = rehearsal_accounts.differences(contract, sent, seen)
        for what, difference in (("lost", lost), ("invented", invented)):
            if few := [f"{many} {name}" for name, many in difference.most_common(_NAMED)]:
                self.problems.append(f"{mode}: {difference.total():,} {what}: {', '.join(few)}, …")
        self.letters += letters
        traces = rehearsal_accounts.traced(contract, seen)
        return ModeAccount(
            producer=produced,
            consumer=consumed,
            ahead=ahead,
            records=len(seen.records),
            predictions=len(predictions),
            verdicts=dict(Counter(str(each.verdict) for each in predictions)),
            flagged=sum(each.label for each in predictions),
            dead_letters=dict(sorted(Counter(str(each.fault) for each in letters).items())),
            lost=lost.total(),
            invented=invented.total(),
            latency=rehearsal_accounts.latency(traces),
            inference=rehearsal_accounts.inference(traces),
        ), traces


class _Reader:
    """A read-only consumer of a stream's three topics that notes when each record arrived."""

    def __init__(self, log: Log, stream: Stream, group: str) -> None:
        self._topics = (stream.source, stream.target, stream.dead_letters)
        self._member = log.join(group, self._topics)
        self._places = {
            TopicPartition(topic, extent.partition)
            for topic in self._topics
            for extent in log.extents(topic)
        }
        self._held: set[TopicPartition] = set()
        self._seen = StreamArrivals([], [], [])

    @property
    def done(self) -> int:
        """How many records were read together with their results."""
        records, predictions, dead_letters = map(len, self._seen)
        return min(records, predictions + dead_letters)

    def look(self) -> bool:
        """Read available records, or wait briefly; return whether there were any."""
        batch = self._member.poll(_READ_AT_ONCE, _LOOK_S)
        now_ns = time.time_ns()
        if batch.revoked:  # their uncommitted records are delivered again
            self._held -= batch.revoked
            for arrivals in self._seen:
                arrivals[:] = [each for each in arrivals if _place(each.record) in self._held]
        self._held |= batch.assigned.keys()
        for record in batch.records:
            self._seen[self._topics.index(record.topic)].append(Arrival(record, now_ns))
        return bool(batch.records)

    def skip(self) -> None:
        """Skip all present records. Raises BadInputError if another reader holds a partition."""
        heard_s = time.monotonic()
        while self.look() or self._held != self._places or any(self._member.lag().values()):
            if self._held == self._places:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > _PATIENCE_S:
                raise BadInputError(
                    "the log",
                    "another rehearsal reads from it",
                    "Wait for it to end, or use separate logs",
                )
        self.take()

    def take(self) -> StreamArrivals:
        """Commit and return everything read since the last call."""
        self._member.commit()
        seen, self._seen = self._seen, StreamArrivals([], [], [])
        return seen

    def leave(self) -> None:
        """Leave the consumer group."""
        self._member.leave()


def _place(record: Record) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)
