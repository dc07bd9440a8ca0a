"""Read a dataset for a training, of which at most so many rows are kept in memory.

A table of no more rows is read as it is. Of a longer one `history_sample` says which rows are kept,
in three passes over the table, a row group at a time:

1.  Which minutes have how many rows, and where regimes end.
2.  The outcomes of each product, for the tau from which a row is one of an episode.
3.  The rows that are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl

from barograph.arrays import Bool, Float64, Int64
from barograph.cases.case import Case, Dataset, Table
from barograph.cases.sampled import HISTORY, REGIME, STANDS_FOR, SampleFacts
from barograph.cases.series import REGIME_HOLE_S
from barograph.errors import BadInputError
from barograph.evaluation import labels
from barograph.training import dataset_table, history_sample
from barograph.training.dataset_table import FoundTable
from barograph.training.history_sample import (
    MINUTE_S,
    PARTS,
    Episodes,
    OutcomeBins,
    Spans,
    Tally,
    complete_from,
    kept_quiet,
    one_in,
)
from barograph.training.walkforward import Training

MOST_ROWS = 1_000_000
"""Most rows of a training, where none are asked for. It does not depend on the machine: the same
dataset and seed give the same model. docs/history.md has what a row takes.
"""


def read_for(
    home: Path, case: Case, how: Training, max_rows: int | None = None
) -> tuple[Dataset, Training]:
    """The dataset of a case for a training, and its settings, with `max_rows` if rows are left out.

    max_rows: the most rows to keep; `MOST_ROWS` if None, and all of a case that cannot be sampled.
    Raises BadInputError as `dataset.read` does, for more rows than were asked for of a case that
    cannot be sampled, and where so few rows cannot have all episodes; ForeignFeaturesError.
    """
    most = MOST_ROWS if max_rows is None else max_rows
    found = dataset_table.found(home, case)
    if found.rows <= most or (max_rows is None and not case.samples_history):
        return dataset_table.whole(found, case), how
    if not case.samples_history:
        raise BadInputError(
            f"--max-rows {most}",
            f"case {case.name} has {found.rows} rows, and cannot be trained on a sample of them",
            "Leave it out",
        )
    quantile = labels.QUANTILE if how.quantile is None else how.quantile
    with dataset_table.readable(found.path, case):
        frame, facts = _Table(found, case, quantile).sampled(most, how.seed)
    return Dataset(frame, found.data_hash, facts), msgspec.structs.replace(how, max_rows=most)


def table_of(case: Case, dataset: Dataset) -> Table:
    """The usable rows of a dataset.

    Raises BadInputError for a sample of which the case's `table` does not say what rows stand for.
    """
    table = case.table(dataset.frame)
    if dataset.sample is not None and table.sampled is None:
        raise BadInputError(
            f"case {case.name}",
            "its `table` does not say what the rows of a sampled history stand for",
            "Give a --max-rows that all rows are within, or set `samples_history=False` in it",
        )
    return table


class _Cut(NamedTuple):
    """Where the complete rows begin, and what is older.

    `bins` has the outcomes by product: those on the stride before the cut, all after it.
    """

    complete_from_s: int
    history_rows: int
    on_stride: int
    bins: dict[str, OutcomeBins]


@dataclass(frozen=True)
class _Table:
    """A table of a series' dataset, read in pieces."""

    found: FoundTable
    case: Case
    quantile: float

    def sampled(self, max_rows: int, seed: int) -> tuple[pl.DataFrame, SampleFacts]:
        """The rows that are kept, and the facts. Raises BadInputError for too few `max_rows`."""
        room = max_rows // 2
        cut = self._cut(room)
        tau, episode_rows = self._taus(cut)
        if cut.history_rows and not cut.on_stride:
            raise BadInputError(
                f"--max-rows {max_rows}",
                f"no older row of case {self.case.name} is on its stride of {self.case.stride}",
                f"Give --max-rows {self.found.rows}, or the case a stride that divides its seconds",
            )
        q = one_in(cut.on_stride - episode_rows, episode_rows, room)
        if not q:
            raise self._too_few(max_rows, episode_rows)
        while True:
            frames, episodes = self._kept(cut, tau, q, seed)
            frame = pl.concat(frames)
            complete = int((~frame[HISTORY]).sum())
            if len(frame) - complete <= room:
                break
            q += 1  # what is drawn may be a few more than on average
        counts = [one.counted() for one in episodes.values()]
        return frame, SampleFacts(
            rows=self.found.rows,
            max_rows=max_rows,
            complete_from_s=cut.complete_from_s,
            complete_rows=complete,
            history_rows=self.found.rows - complete,
            on_stride=cut.on_stride,
            history_kept=len(frame) - complete,
            episode_rows=episode_rows,
            episodes=sum(every for every, _ in counts),
            episodes_between=sum(between for _, between in counts),
            one_in=q,
            spacing=self.case.spacing,
            tau={name: value for name, value in tau.items() if np.isfinite(value)},
        )

    @cached_property
    def _times(self) -> tuple[Tally, Spans]:
        minutes, regimes = Tally(), Spans(REGIME_HOLE_S)
        for some in self.found.pieces("second"):
            second = some["second"].to_numpy().astype(np.int64)
            minutes.add(second // MINUTE_S)
            regimes.add(second)
        return minutes, regimes

    def _cut(self, room: int) -> _Cut:
        minute, rows = self._times[0].counts()
        start_s = complete_from(minute, rows, room)
        is_complete = minute >= start_s // MINUTE_S
        after = np.cumsum(rows[is_complete])
        ends = np.searchsorted(after, after[-1] * np.arange(1, PARTS) / PARTS)
        parts = np.append(start_s, minute[is_complete][ends] * MINUTE_S)
        bins: dict[str, OutcomeBins] = {}
        on_stride = 0
        for product, some in self._by_product("outcome"):
            second = some["second"].to_numpy().astype(np.int64)
            part, outcome = np.searchsorted(parts, second, side="right"), _outcome(some)
            counted = (part > 0) | self._on_stride(second)
            on_stride += int((counted & (part == 0)).sum())
            known = counted & ~np.isnan(outcome)
            bins.setdefault(product, OutcomeBins()).add(outcome[known], part[known])
        return _Cut(start_s, int(rows[~is_complete].sum()), on_stride, bins)

    def _taus(self, cut: _Cut) -> tuple[dict[str, float], int]:
        """The provisional tau of each product, and how many rows on the stride reach them."""
        found = {
            product: of.lowest_tau(self.quantile, self.case.spacing)
            for product, of in cut.bins.items()
        }
        tau = {product: value for product, (value, _) in found.items()}
        return tau, sum(rows for _, rows in found.values())

    def _kept(
        self, cut: _Cut, tau: dict[str, float], q: int, seed: int
    ) -> tuple[list[pl.DataFrame], dict[str, Episodes]]:
        spacing, stride, frames = self.case.spacing, self.case.stride, []
        episodes = {product: Episodes(self.case.horizon_s, stride) for product in tau}
        for product, some in self._by_product():
            second = some["second"].to_numpy().astype(np.int64)
            history = second < cut.complete_from_s
            spike = _outcome(some) >= tau[product]  # False where it is not known
            episodes[product].add(second[history & spike])
            quiet = kept_quiet(product, second // stride, q, seed)
            kept = ~history | (self._on_stride(second) & (spike | quiet))
            stands_for = np.where(history, np.where(spike, spacing, spacing * q), 1)
            frames.append(
                some.with_columns(
                    pl.Series(STANDS_FOR, stands_for),
                    pl.Series(HISTORY, history),
                    pl.Series(REGIME, self._times[1].number(second)),
                ).filter(kept)
            )
        return frames, episodes

    def _too_few(self, max_rows: int, episode_rows: int) -> BadInputError:
        """The refusal, with a number of rows that was found to be enough."""
        needed, rows = max_rows, episode_rows
        while needed < self.found.rows:
            least = 2 * rows * (1 + history_sample.LEAST_QUIET)
            needed = _round_up(int(max(least, 1.1 * needed)))
            cut = self._cut(needed // 2)
            _, rows = self._taus(cut)
            if one_in(cut.on_stride - rows, rows, needed // 2):
                break
        return BadInputError(
            f"--max-rows {max_rows}",
            f"half of it cannot hold the {episode_rows} rows of episodes of its older rows on the "
            f"stride, and a quarter as many quiet ones; the dataset has {self.found.rows} rows",
            f"Give --max-rows {needed} or more (its half has to hold the tests of all folds, too)",
        )

    def _on_stride(self, second: Int64) -> Bool:
        on_stride: Bool = second % self.case.stride == 0
        return on_stride

    def _by_product(self, *columns: str) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the rows in their order, some of one product at a time. columns: all if none."""
        names = ("product", "second", *columns) if columns else ()
        for some in self.found.pieces(*names):
            for part in some.partition_by("product", maintain_order=True):
                yield str(part["product"][0]), part


def _outcome(rows: pl.DataFrame) -> Float64:
    return rows["outcome"].fill_null(np.nan).to_numpy()


def _round_up(rows: int) -> int:
    """The next number of two digits and zeros."""
    unit = int(10 ** max(0, len(str(rows)) - 2))
    return -(-rows // unit) * unit
