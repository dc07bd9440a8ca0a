"""Which rows of a long dataset a training keeps: the newest whole, and a sample of its history.

1.  The newest rows, at most half of `max_rows`, are complete from one second on, of all products.
2.  Of the older ones only seconds on the case's stride are kept, as only those are fitted on
    anyhow. Each stands for the rows up to the next.
3.  Of these, every row of an episode is kept: its outcome is at or above the lowest tau that a fold
    can have.
4.  Of the others, one in q is, so many that all are at most the other half. Each stands for q.

Within q places on the stride, which one is kept depends on the seed, the product and the place
alone: not on how the table is cut, and not at a fixed distance, which could be that of a season.
Source of the weights: Horvitz and Thompson (1952), J. American Statistical Association 47(260).
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from barograph.arrays import Bool, Float64, Int64, UInt64
from barograph.errors import BadInputError

MINUTE_S = 60
PARTS = 8
"""Parts of the complete rows, after each of which tau is taken: a fold may begin at any of them."""

LEAST_QUIET = 0.25
"""Fewest quiet rows for each row of an episode. With fewer, a few of them would stand for all."""

MARGIN_BINS = 4
"""By how many bins, some 1 %, the tau that rows are kept by is lower: folds begin between the ends
of parts, and their own tau is that of a sample.
"""

_BIN_BITS = 44  # bits of a float64 below its exponent and 8 bits of its mantissa: steps of 0.4 %
_PART_BITS = 32
_GOLDEN = 0x9E3779B97F4A7C15


class Tally:
    """Counts of int64 keys, in memory that grows with the different keys alone."""

    def __init__(self) -> None:
        self._keys, self._counts = np.empty(0, np.int64), np.empty(0, np.int64)
        self._waiting: list[tuple[Int64, Int64]] = []
        self._waits = 0

    def add(self, keys: Int64) -> None:
        """Count each of the keys (n,)."""
        some, counts = np.unique(keys, return_counts=True)
        self._waiting.append((some, counts))
        self._waits += len(some)
        if self._waits > len(self._keys) + 100_000:
            self._settle()

    def counts(self) -> tuple[Int64, Int64]:
        """The different keys (k,), increasing, and their counts (k,)."""
        self._settle()
        return self._keys, self._counts

    def _settle(self) -> None:
        pairs = [(self._keys, self._counts), *self._waiting]
        keys, counts = (np.concatenate(column) for column in zip(*pairs, strict=True))
        self._keys, place = np.unique(keys, return_inverse=True)
        self._counts = np.bincount(place, counts, len(self._keys)).astype(np.int64)
        self._waiting, self._waits = [], 0


class Spans:
    """Stretches of time without a longer hole than `hole_s`, of seconds that come in any order."""

    def __init__(self, hole_s: int) -> None:
        self._hole_s = hole_s
        self._first, self._last = np.empty(0, np.int64), np.empty(0, np.int64)

    def add(self, second: Int64) -> None:
        """Add seconds (n,), n at least 1."""
        second = np.unique(second)
        opens = np.flatnonzero(np.diff(second) > self._hole_s) + 1
        first, last = second[np.append(0, opens)], second[np.append(opens - 1, len(second) - 1)]
        first, last = np.append(self._first, first), np.append(self._last, last)
        order = np.argsort(first, kind="stable")
        first, last = first[order], np.maximum.accumulate(last[order])
        new = np.append(True, first[1:] - last[:-1] > self._hole_s)
        starts = np.flatnonzero(new)
        self._first, self._last = first[starts], last[np.append(starts[1:] - 1, len(last) - 1)]

    def number(self, second: Int64) -> Int64:
        """(n,) number of the stretch that each second is in, from 0 in time order."""
        number: Int64 = np.searchsorted(self._first, second, side="right") - 1
        return number


def complete_from(minute: Int64, rows: Int64, most: int) -> int:
    """The earliest second from which on at most `most` rows are.

    minute: (m,) increasing numbers of minutes since 1970; rows: (m,) in each. Raises BadInputError
    if the last minute has more.
    """
    newest = np.cumsum(rows[::-1])
    whole = int(np.searchsorted(newest, most, side="right"))
    if not whole:
        raise BadInputError(
            f"--max-rows {2 * most}",
            f"half of it is fewer than the {int(rows[-1])} rows of the last minute",
            "Give many times more",
        )
    return int(minute[len(minute) - whole]) * MINUTE_S


class OutcomeBins:
    """Outcomes of one product, counted by part: 0 the history, 1 to `PARTS` the complete rows."""

    def __init__(self) -> None:
        self._tally = Tally()

    def add(self, outcome: Float64, part: Int64) -> None:
        """Count outcomes (n,), none of them NaN, of parts (n,)."""
        self._tally.add((part << _PART_BITS) | bin_of(outcome))

    def lowest_tau(self, quantile: float, spacing: int) -> tuple[float, int]:
        """The lowest quantile after each part, and how many outcomes of the history reach it.

        An outcome of the history counts `spacing` times. The value is the lower end of a bin,
        `MARGIN_BINS` below the one that the quantile is in, and above 0.
        """
        keys, counts = self._tally.counts()
        if not len(keys):
            return np.inf, 0
        part, place = keys >> _PART_BITS, keys & ((1 << _PART_BITS) - 1)
        bins, column = np.unique(place, return_inverse=True)
        table = np.zeros((PARTS + 1, len(bins)), np.int64)
        table[part, column] = counts
        times = np.where(np.arange(PARTS + 1) == 0, spacing, 1)
        until = np.cumsum(table * times[:, None], axis=0)
        below = np.cumsum(until[until.any(axis=1)], axis=1)
        rank = np.ceil((below[:, -1:] - 1) * quantile)
        lowest = bins[(below <= rank).sum(axis=1).min()]
        # Where the quantile is 0, whatever is above 0 is of an episode.
        spike = max(int(lowest) - MARGIN_BINS, 1)
        return _value_of(spike), int(table[0, bins >= spike].sum())


def bin_of(outcome: Float64) -> Int64:
    """(n,) number of the bin of each outcome; what is not above 0 is in bin 0."""
    positive = np.maximum(outcome, 0.0) + 0.0  # no −0.0, whose bits are those of a negative number
    return positive.view(np.int64) >> _BIN_BITS


def _value_of(place: int) -> float:
    return float(np.array([place << _BIN_BITS]).view(np.float64)[0])


def one_in(quiet: int, episode_rows: int, room: int) -> int:
    """How many quiet rows a kept one stands for; 0 where there is too little room."""
    left = room - episode_rows
    if left < min(quiet, max(1.0, LEAST_QUIET * episode_rows)):
        return 0
    return max(1, -(-quiet // left)) if quiet else 1


def kept_quiet(product: str, place: Int64, q: int, seed: int) -> Bool:
    """(n,) whether the row of each place on the stride is kept as one in `q`.

    One place of each q that follow each other, drawn by seed and product, is.
    """
    if q == 1:
        return np.ones(len(place), np.bool_)
    key = hashlib.sha256(f"{seed} {product}".encode()).digest()
    start = np.uint64(int.from_bytes(key[:8], "little"))
    drawn = _mixed((place // q).astype(np.uint64) * np.uint64(_GOLDEN) + start) % np.uint64(q)
    kept: Bool = place % q == drawn.astype(np.int64)
    return kept


def _mixed(bits: UInt64) -> UInt64:
    """SplitMix64 of uint64 (n,). Source: Steele, Lea, Flood (2014), OOPSLA."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: UInt64 = bits ^ (bits >> np.uint64(31))
    return mixed


@dataclass
class Episodes:
    """Counts the episodes of one product whose spike seconds come in order, some at a time.

    `all` are those begun, `between` those of them, the last one excepted while it is open, without
    a second on the stride: see `counted`.
    """

    horizon_s: int
    stride: int
    begun: int = 0
    between: int = 0
    _last_s: int | None = field(default=None)
    _met: bool = field(default=True)

    def add(self, spike_second: Int64) -> None:
        """Add increasing seconds (n,) whose outcome is a spike, later than all before."""
        if not len(spike_second):
            return
        on_stride = spike_second % self.stride == 0
        new = np.diff(spike_second, prepend=spike_second[0]) >= self.horizon_s
        new[0] = self._last_s is None or spike_second[0] - self._last_s >= self.horizon_s
        run = np.cumsum(new) - (1 if new[0] else 0)
        met = np.bincount(run, on_stride) > 0
        if not new[0]:
            met[0] |= self._met
        elif not self._met:
            self.between += 1
        self.begun += int(new.sum())
        self.between += int((~met[:-1]).sum())
        self._met, self._last_s = bool(met[-1]), int(spike_second[-1])

    def counted(self) -> tuple[int, int]:
        """(episodes, episodes without a second on the stride)."""
        return self.begun, self.between + (not self._met)
