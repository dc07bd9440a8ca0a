"""The rehearsal: a case of records at work as it would be for real, measured and accounted for.

1.  A dataset of the file, a model trained and gated on it.
2.  Stream: records one by one, and bad ones among them, through a consumer that waits for them.
3.  Batch: the whole file in batches, then a consumer that works off what lies there.

Producers and consumers are the verbs `produce` and `consume`, as processes of their own. A reader
of the log, a group of its own, stands beside them: what it had is compared with what the contract
says of each record, and when it had it is the end of a record's latency.
"""

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
from barograph.app.terminal import terminal, training_table
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
"""How long nothing may come of what was sent."""


class RehearsalPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How to rehearse `case`, which is called `named` on the command line.

    Without a `file` its records are invented. The stream takes half of `seconds`, at `rate` records
    a second, and less where the file ends before. `log` is another one than that of home.
    """

    case: Case
    named: str
    file: Path | None
    log: str | None
    seconds: float
    rate: float

    def __post_init__(self) -> None:
        Sending(rate=self.rate)  # refuses a rate that is none
        if self.seconds <= 0:
            raise BadInputError(
                f"--seconds {self.seconds:g}", "it is not above 0", "Give some seconds"
            )


def rehearse(settings: Settings, plan: RehearsalPlan, reports: Path) -> Rehearsal:
    """Rehearse in `settings.home`; leaves `summary.json` and `index.html` in `reports`/<case>/.

    Nobody else may use the topics of the case meanwhile: others' records would count as invented.
    What an interrupted rehearsal left in them is worked off first.
    Raises BadInputError for a file without good records, a folder that cannot be made, or a verb
    that fails; and as `train`.
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
        console.print(training_table.training(report))
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
    )
    write_whole(place / "summary.json", msgspec.json.format(msgspec.json.encode(done)))
    write_whole(place / "index.html", rehearsal_page.page(done).encode())
    return done


def _invented(case: Case, folder: Path) -> Path:
    """A file of made-up records, where the house knows how to make them."""
    if case is not churn.CHURN:
        raise BadInputError(
            f"case {case.name}", "there are no invented records of it", "Name a FILE of records"
        )
    return _file(folder / "invented.ndjson", churn.invent(_INVENTED_RECORDS, 1))


def _folder(path: Path) -> Path:
    try:
        with declared(path):
            path.mkdir(parents=True, exist_ok=True)
        check_room(path, _PAGE_BYTES)  # before the work
    except BadInputError as error:
        raise BadInputError(str(path), error.why, "Name another folder (--reports)") from error
    return path


def _file(path: Path, records: Iterable[bytes]) -> Path:
    write_whole(path, b"".join(record + b"\n" for record in records))
    return path


def _some_good(file: Path, contract: Contract, count: int) -> list[bytes]:
    """The first good records of a file, at most so many. Raises BadInputError for none."""
    good = (line.value for line in lines(file, contract))
    found = list(
        islice((value for value in good if not rehearsal_accounts.fault_of(contract, value)), count)
    )
    if not found:
        raise BadInputError(
            str(file), "no record in it keeps the contract", "Give a file of the case's records"
        )
    return found


def _champion(home: Path, case: Case, table: Table) -> tuple[str | None, list[ReliabilityBin], int]:
    """The champion's label and its reliability on the rows that it never saw, and how many."""
    registry = Registry(home)
    version = registry.champion_version(case.name)
    if version is None:
        return None, [], 0
    champion = registry.load(case.name, version, case.feature_set)
    rows = np.arange(len(table.order))
    rows = rows[case.unseen(table, rows, champion.facts)]
    if len(rows) < _LEAST_UNSEEN:
        return champion.label, [], len(rows)
    said = champion.onnx.predict(table.columns(champion.facts.features, rows))
    return champion.label, reliability(table.outcome[rows], said), len(rows)


class _Stage:
    """Where the case is played: verbs as processes, and the reader beside them."""

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
        """Have what lies in the log worked off, and read past it."""
        if any(extent.next for extent in self._log.extents(self._stream.source)):
            self._answer(self._start("consume"), Consumed)
        self._reader.skip()

    def stream(self, records: Sequence[bytes]) -> tuple[ModeAccount, list[Trace]]:
        """These one by one, with bad ones among them, while a consumer waits for them."""
        bad = list(rehearsal_accounts.poisoned(self._stream.contract, records[0]))
        file = _file(self._folder / "stream.ndjson", rehearsal_accounts.spread(bad, records))
        consumer = self._start("consume", "--mode", "stream")
        # Not the first one: the stream's file would begin with it, and go on behind it.
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
        """The whole file, and then a consumer that works it off."""
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
        """What a verb says at its end; the reader goes on meanwhile."""
        while (code := child.wait(0)) is None:
            self._reader.look()
        if code:
            why = child.why().removesuffix(".")
            raise BadInputError("a verb of the rehearsal failed", why, "Then run it again")
        return msgspec.json.decode(child.out(), type=kind)

    def _read_until_done_with(self, records: int) -> None:
        """Until so many were read and as many came of them, or nothing comes any more."""
        heard_s = time.monotonic()
        while self._reader.done < records and time.monotonic() - heard_s < _PATIENCE_S:
            if self._reader.look():
                heard_s = time.monotonic()

    def _account(
        self, mode: str, file: Path, produced: Produced, consumed: Consumed, *, ahead: int
    ) -> tuple[ModeAccount, list[Trace]]:
        contract = self._stream.contract
        sent = islice(lines(file, contract), produced.skipped, produced.skipped + produced.sent)
        while self._reader.look():  # what is too much may come last
            pass
        seen = self._reader.take()
        try:
            letters = [codec.decode_dead_letter(each.value) for each, _ in seen.dead_letters]
            said = [codec.decode_record_prediction(each.value) for each, _ in seen.predictions]
        except UNREADABLE as error:
            raise BadInputError(
                f"{self._stream.target} or {self._stream.dead_letters}",
                f"somebody else writes what is neither prediction nor dead letter ({error})",
                "Rehearse in a namespace or --home of its own",
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
            predictions=len(said),
            verdicts=dict(Counter(str(each.verdict) for each in said)),
            flagged=sum(each.label for each in said),
            dead_letters=dict(sorted(Counter(str(each.fault) for each in letters).items())),
            lost=lost.total(),
            invented=invented.total(),
            latency=rehearsal_accounts.latency(traces),
            inference=rehearsal_accounts.inference(traces),
        ), traces


class _Reader:
    """A consumer of a stream's three topics that only reads, and notes when it had each record."""

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
        """How many records were read together with what came of them."""
        records, predictions, dead_letters = map(len, self._seen)
        return min(records, predictions + dead_letters)

    def look(self) -> bool:
        """Take what is there, or wait a little; says whether there was anything."""
        batch = self._member.poll(_READ_AT_ONCE, _LOOK_S)
        now_ns = time.time_ns()
        if batch.revoked:  # what was not committed of these comes once more
            self._held -= batch.revoked
            for arrivals in self._seen:
                arrivals[:] = [each for each in arrivals if _place(each.record) in self._held]
        self._held |= batch.assigned.keys()
        for record in batch.records:
            self._seen[self._topics.index(record.topic)].append(Arrival(record, now_ns))
        return bool(batch.records)

    def skip(self) -> None:
        """Read past all that is there. Raises BadInputError where another reader has a part."""
        heard_s = time.monotonic()
        while self.look() or self._held != self._places or any(self._member.lag().values()):
            if self._held == self._places:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > _PATIENCE_S:
                raise BadInputError(
                    "the log",
                    "another rehearsal reads from it",
                    "Let it end, or give one of the two a log of its own",
                )
        self.take()

    def take(self) -> StreamArrivals:
        """All since the last call."""
        self._member.commit()
        seen, self._seen = self._seen, StreamArrivals([], [], [])
        return seen

    def leave(self) -> None:
        """End."""
        self._member.leave()


def _place(record: Record) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)
