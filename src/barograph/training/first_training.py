"""When a first training can succeed: how many usable rows it needs, and how many there are.

A training that starts before there are rows for its folds fails, and says nothing that could not
have been told before.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np

from barograph import codec
from barograph.archive.files import archive_files
from barograph.cases.case import Case, Table, live_of
from barograph.cases.live_series import LiveSeries
from barograph.errors import TooLittleDataError
from barograph.evaluation.labels import came_due
from barograph.figures import duration
from barograph.log import Log, browse, file_of, open_log
from barograph.training.due import Due
from barograph.training.walkforward import Training, questions_of
from barograph.types import MAX_PRODUCTS, NS_PER_S, FeatureRow, Reason

_MOST_ROWS, _MOST_KEYS = 400_000, 20
_NOT_OFFERED = str(int(Reason.NOT_OFFERED))


def least_rows(case: Case, features: Sequence[str], *, folds: int, keys: int) -> int:
    """The fewest usable rows of a series that a walk-forward of `folds` folds can be cut from.

    features: those that all rows have. keys: series of one row a step each, without a hole. It is
    found by cutting, for 20 keys at most: each of more needs as many. Real outcomes may need more,
    where a fold has none that reach tau.
    """
    if keys > _MOST_KEYS:
        return least_rows(case, features, folds=folds, keys=_MOST_KEYS) // _MOST_KEYS * keys
    live = live_of(case)
    low, high = 1, _MOST_ROWS // keys
    while low < high:
        middle = (low + high) // 2
        if _can_be_cut(case, live, tuple(features), folds, (middle, keys)):
            high = middle
        else:
            low = middle + 1
    return low * keys


def _can_be_cut(
    case: Case, live: LiveSeries, features: tuple[str, ...], folds: int, shape: tuple[int, int]
) -> bool:
    steps, keys = shape
    rows = steps * keys
    step = np.tile(np.arange(steps), keys)
    table = Table(
        features=features,
        x=np.ones((rows, len(features)), np.float32),
        outcome=1.0 + step % 10,  # every row's neighbours have outcomes on both sides of tau
        keys=tuple(map(str, range(keys))),
        key=np.repeat(np.arange(keys), steps),
        order=step * live.step_s,
        session=np.zeros(rows, np.int64),
        regime=np.zeros(rows, np.int64),
        left_out={},
        unused={},
    )
    try:
        questions = questions_of(case, table, Training(folds=folds, split="walk-forward"))[1]
    except TooLittleDataError:
        return False
    return all(len(question.target.tau) == keys for question in questions)


class UsableRows:
    """Counts the usable rows of a series: all `features` known, and the outcome a horizon later.

    A machine: rows in, by key in order. `span_s` is the longest time from a key's first row to its
    last. A feature that is not offered is not waited for. At most
    MAX_PRODUCTS keys are followed.
    """

    def __init__(self, live: LiveSeries, features: Iterable[str]) -> None:
        self._live, self._places = live, [live.places[name] for name in features]
        self._value_now = live.places[live.value_now]
        self._waiting: dict[str, deque[int]] = {}
        self._first: dict[str, int] = {}
        self.rows = self.span_s = 0

    @property
    def keys(self) -> int:
        """How many keys rows have come of."""
        return len(self._waiting)

    def take(self, row: FeatureRow) -> None:
        """Count a row, and the one whose outcome it holds."""
        if row.feature_set != self._live.feature_set or len(row.values) != len(self._live.columns):
            return
        waiting = self._waiting.get(row.product)
        if waiting is None:
            if len(self._waiting) == MAX_PRODUCTS:
                return
            waiting = self._waiting[row.product] = deque()
        if waiting and row.second <= waiting[-1]:
            return
        self.span_s = max(self.span_s, row.second - self._first.setdefault(row.product, row.second))
        if came_due(waiting, row.second - self._live.horizon_s):
            self.rows += row.values[self._value_now] is not None
        if all(
            row.values[place] is not None or row.reasons[place] == _NOT_OFFERED
            for place in self._places
        ):
            waiting.append(row.second)


class FirstTraining:
    """Whether there are rows for a first training of a series, by its log and archive.

    Rows of the log are counted once each; where the log can tell fewer than the archive, because it
    is younger, the span of the archive's finished files counts. Not thread-safe.
    features: those that a training uses if they are offered. keys: series that are expected.
    """

    def __init__(  # noqa: PLR0913 - what is trained, and what of
        self,
        case: Case,
        address: str | Path,
        archive: Path,
        *,
        features: Sequence[str],
        folds: int,
        keys: int,
        warmup_s: int,
    ) -> None:
        self._case, self._live = case, live_of(case)
        self._address, self._archive = address, archive
        self._features, self._folds, self._keys = features, folds, keys
        self._warmup_s = warmup_s + self._live.horizon_s
        self._count = UsableRows(self._live, features)
        self._offsets: dict[int, int] = {}
        self._needed: dict[int, int] = {}

    def due(self) -> Due:
        """Due if there are rows enough, else how many there are and when there will be.

        Raises as `open_log` and the log do.
        """
        file = file_of(self._address)
        if file is None or file.exists():  # one that was removed is not made again by a look
            with closing(open_log(self._address)) as log:
                for row in self._new_rows(log):
                    self._count.take(row)
                    if self._count.rows >= self._least(self._count.keys):
                        break  # a long log need not be read to its end
        keys = self._count.keys or self._keys
        needed = self._least(keys)
        rows = max(self._count.rows, archived_rows(self._archive, self._live))
        if rows >= needed:
            return Due(due=True, why="there is no version yet", rows=rows, needed=needed)
        in_s = (needed - rows) / keys * self._live.step_s
        if not self._count.rows:
            in_s += max(1, self._warmup_s - self._count.span_s)
        about = duration(60 * math.ceil(in_s / 60))
        why = f"first training in about {about}: {rows:,} of {needed:,} rows"
        return Due(due=False, why=why, rows=rows, needed=needed, in_s=in_s)

    def _least(self, keys: int) -> int:
        if keys not in self._needed:
            self._needed[keys] = least_rows(
                self._case, self._features, folds=self._folds, keys=keys
            )
        return self._needed[keys]

    def _new_rows(self, log: Log) -> Iterator[FeatureRow]:
        """The rows that came since the last look."""
        if self._live.rows not in {topic.name for topic in log.topics()}:
            return
        for extent in log.extents(self._live.rows):
            start = max(extent.oldest, self._offsets.get(extent.partition, 0))
            new = msgspec.structs.replace(extent, oldest=start)
            for record in browse.upwards(log, self._live.rows, new):
                self._offsets[extent.partition] = record.offset + 1
                try:
                    yield codec.decode_row.of(record)
                except codec.UnreadableError:
                    continue  # the scorer writes a dead letter for it


def archived_rows(archive: Path, live: LiveSeries) -> int:
    """The most rows that the finished files of an archive can make: their spans, by product."""
    spans_s = [
        ((counts.last_event_time_ns or 0) - (counts.first_event_time_ns or 0)) // NS_PER_S
        for file in archive_files(archive)
        if file.manifest is not None
        for counts in file.manifest.products.values()
        if counts.ticks
    ]
    return sum(spans_s) // live.step_s
