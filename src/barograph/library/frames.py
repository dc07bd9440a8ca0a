"""Features of ticks, as a frame: the rows that `barograph dataset` makes of the same ticks."""

import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from barograph.arrays import Int64, Records, UInt8
from barograph.cases.case import Case, live_of
from barograph.cases.market import MARKET
from barograph.cases.named import case_named, name_of
from barograph.codec import EVENT, NAT
from barograph.errors import BadInputError, TooLittleDataError
from barograph.feature_set.catalogue import NAMES, ROW
from barograph.feature_set.featurizer import Featurizer
from barograph.library import arguments
from barograph.library.foreign_frames import optional
from barograph.library.immutable import Immutable
from barograph.library.reading import ticks_or_table
from barograph.library.ticks import Ticks, in_words
from barograph.types import Reason

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_UNKNOWN = [reason.name for reason in Reason]
_REASONS = pl.Enum(_UNKNOWN)
_NO_ROWS = np.zeros(0, ROW)
_PART = 8192
"""Events that are made of a frame before features are made of them: less than 1 MB."""


class Features(Immutable):
    """Features of closed seconds, a row for each product and second; immutable.

    Made by `features`.
    `frame` is a Polars frame sorted by product (first seen) and second, with the columns

    - `product`, and `second`: epoch seconds, int64; features are known at the end of that second;
    - `receive_time_ns`: of the event that closed the second, null where no recorder kept it;
    - `log_mid_e9`, `return_e9`: closing log mid and one-second log return, in 1e-9;
    - every feature of the catalogue (docs/features.md) as float64; null is unknown, never filled.

    `X[name]` is a column, `X[names]` a frame of some; `len(X)` counts the rows. It is taken as a
    table by whatever reads the Arrow C stream interface (Polars, pandas, PyArrow, DuckDB), and
    pickled where its case has a name. A name that is no column is refused with BadInputError.
    `case` is the case whose features these are; `late_ticks` how many ticks came after their second
    had closed, which are in no feature.

    >>> X = bg.features(bg.read_ticks("market.ndjson"))
    >>> len(X), X.names[:2]
    (7199, ('log_return_10s', 'log_return_60s'))
    >>> X[["second", "spread_bps"]].columns
    ['second', 'spread_bps']
    >>> X.to_pandas().shape == X.frame.shape
    True
    """

    def __init__(
        self, frame: pl.DataFrame, reason_codes: UInt8, case: Case, *, late_ticks: int = 0
    ) -> None:
        self.frame: pl.DataFrame
        self.case: Case
        self.late_ticks: int
        self._reason_codes: UInt8
        vars(self).update(frame=frame, case=case, late_ticks=late_ticks, _reason_codes=reason_codes)

    @property
    def columns(self) -> list[str]:
        """The names of all columns of `frame`."""
        return self.frame.columns

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in the order of the catalogue."""
        return live_of(self.case).columns

    @cached_property
    def reasons(self) -> pl.DataFrame:
        """Why values are null: `product`, `second`, and a column for each feature.

        Each has WARMUP, GAP, OUT_OF_RANGE, STALE or NOT_OFFERED (docs/vocabulary.md#reasons), and
        null where the value is known.
        """
        of_features = {
            name: pl.Series(np.ascontiguousarray(self._reason_codes[:, place]))
            for place, name in enumerate(self.names)
        }
        frame = self.frame.select("product", "second").with_columns(**of_features)
        known = pl.col(self.names).replace(int(Reason.KNOWN), None)
        return frame.with_columns(known).with_columns(pl.col(self.names).cat.to(_REASONS))

    def rows(self, outcome: pl.Series) -> pl.DataFrame:
        """The rows as a dataset holds them: with one digit of `Reason` a feature, and an outcome.

        outcome: (n,) float64, null where it is not known.
        """
        digits = np.ascontiguousarray(self._reason_codes + ord("0"))
        texts = digits.view(f"S{digits.shape[1]}").ravel().astype(str).tolist()
        return self.frame.with_columns(
            pl.Series("reasons", texts, dtype=pl.String), outcome.alias("outcome")
        )

    def to_pandas(self) -> "pd.DataFrame":
        """`frame` as a pandas frame; NaN is unknown. Needs pandas and PyArrow."""
        optional("pandas", "pyarrow")
        return self.frame.to_pandas()

    def to_arrow(self) -> "pa.Table":
        """`frame` as an Arrow table, without a copy. Needs PyArrow."""
        optional("pyarrow")
        return self.frame.to_arrow()

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 - as a Polars frame has it
        for name in (
            (key,) if isinstance(key, str) else key if isinstance(key, list | tuple) else ()
        ):
            if isinstance(name, str) and name not in self.frame.columns:
                raise self._no_column(name)
        return self.frame[key]

    def _no_column(self, name: str) -> BadInputError:
        near = get_close_matches(name, self.frame.columns, 3)
        like = f", such as {', '.join(near)}" if near else ""
        return BadInputError(
            f"features[{arguments.shown(name)}]", "there is no such column",
            f"Name one of X.columns (docs/features.md){like}",
        )  # fmt: skip

    def __reduce__(self) -> tuple[object, ...]:
        """By the name of the case, whose functions cannot be pickled."""
        name = name_of(self.case)
        if not name:
            raise BadInputError(
                f"features of case {self.case.name}",
                "a case that was made in a notebook or a program cannot be pickled",
                "Name it (case='package.module:NAME') as the features are made, or pickle X.frame",
            )
        return _again, (self.frame, self._reason_codes, name, self.late_ticks)

    def __len__(self) -> int:
        return len(self.frame)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        products = self.frame["product"].n_unique()
        return f"Features of {products} products in {len(self):,} seconds\n{self.frame}"


def _again(frame: pl.DataFrame, reason_codes: UInt8, case: str, late_ticks: int) -> Features:
    """Features as they were pickled."""
    return Features(frame, reason_codes, case_named(case), late_ticks=late_ticks)


def refuse_unless_features(X: object) -> None:
    """Raise BadInputError for what `features` did not return, such as its frame alone."""
    if not isinstance(X, Features):
        raise BadInputError(
            "X",
            f"it is {arguments.kind(X)}, not what barograph.features returns",
            "Give that whole (X = barograph.features(ticks)), not its frame or columns of it",
        )


def features(
    ticks: object, *, silence_timeout_s: float | None = 10.0, case: str | Case = "spikes"
) -> Features:
    """Features of ticks, the same to the bit as `barograph dataset` makes of the same ticks.

    ticks: what `read_ticks` returns, or any frame that it takes. Where ticks are missing (ids jump,
    or nothing comes for more than `silence_timeout_s` of event time) there is a gap: no second is
    invented, and windows over it are null (`Features.reasons` says why).
    silence_timeout_s: None for no gaps by silence; of `Ticks` it must be what they were read with.
    case: a built-in case on ticks, or a `barograph.cases.Case` of your own.
    What is refused is in no feature: of other ticks than `Ticks` a warning counts it.
    Warm-ups and windows of each feature stand in docs/features.md.
    Raises BadInputError for what are no ticks and for a case of other rows, TooLittleDataError
    where no second closes: a second is closed by a later event of its product.

    >>> X = bg.features(bg.read_ticks("market.ndjson"))
    >>> X["realized_vol_60s"].null_count()  # until its window has filled
    60
    >>> X.reasons["realized_vol_60s"].value_counts().drop_nulls().rows()
    [('WARMUP', 60)]
    """
    case = arguments.a_case(case)
    if live_of(case).feature_set != MARKET.feature_set:
        raise BadInputError(
            f"case {case.name}",
            "its features are not made of ticks",
            f"Name one whose are ({MARKET.rows}), such as spikes",
        )
    if isinstance(ticks, Ticks) and ticks.silence_timeout_s != silence_timeout_s:
        raise BadInputError(
            f"silence_timeout_s={silence_timeout_s}",
            f"these ticks were read with silence_timeout_s={ticks.silence_timeout_s}, and gaps are "
            "made as ticks are read",
            "Give read_ticks the same value",
        )
    read = ticks if isinstance(ticks, Ticks) else ticks_or_table(ticks, silence_timeout_s)
    made = _Rows()
    if isinstance(read, Ticks):
        made.take(read.events, read.products)
    else:
        # A part that is still in the processor's cache is read faster than an array of all events.
        for events in read.parts(repeat(np.zeros(_PART, EVENT))):
            made.take(events, read.products)
    if not isinstance(ticks, Ticks):
        _warn_of(read.refused if isinstance(read, Ticks) else read.refused.counts)
    return made.features(case)


def _warn_of(refused: Mapping[str, int]) -> None:
    """Warn of rows or lines that are in no feature: only `Ticks` would keep them."""
    if refused:
        warnings.warn(
            f"{sum(refused.values()):,} ticks were refused ({in_words(refused)}) and are in no "
            "feature: see dead_letters of what barograph.read_ticks returns",
            stacklevel=3,
        )


class _Rows:
    """The rows that events close."""

    def __init__(self) -> None:
        self._featurizer = Featurizer()
        self._products: Sequence[str] = ()
        self._rows: list[Records] = []
        self._events = self._late = 0

    def take(self, events: Records, products: Sequence[str]) -> None:
        """Take in the next events; products: of these and all earlier ones."""
        for product in products[len(self._products) :]:
            self._featurizer.product_index(product)
        rows, late = self._featurizer.update(events)
        self._rows.append(rows)
        self._products = products
        self._events += len(events)
        self._late += len(late)

    def features(self, case: Case) -> Features:
        """The features of all events. Raises TooLittleDataError where they close no second."""
        rows = self._rows[0] if len(self._rows) == 1 else np.concatenate([_NO_ROWS, *self._rows])
        if not len(rows):
            raise TooLittleDataError(
                "features", f"no closed second in {self._events:,} events", "some minutes",
                "Give more",
            )  # fmt: skip
        return _features(rows, self._products, case, self._late)


def _features(rows: Records, products: Sequence[str], case: Case, late_ticks: int) -> Features:
    """The rows by product, as they were first seen, and second."""
    product, second = rows["product"], rows["second"]
    order = np.lexsort((second, product))
    n = len(rows)
    # Columns are slices of one series, which is made much faster than a series for each of them.
    values = pl.Series(rows["values"][order].T.ravel(), nan_to_null=True)
    frame = pl.DataFrame(
        [
            pl.Series("product", products, dtype=pl.String).gather(
                product[order].astype(np.uint32)
            ),
            pl.Series("second", second[order]),
            _whole("receive_time_ns", rows["receive_time_ns"][order]),
            pl.Series("log_mid_e9", rows["log_mid_e9"][order]),
            _whole("return_e9", rows["return_e9"][order]),
            *(values.slice(i * n, n).alias(name) for i, name in enumerate(NAMES)),
        ]
    )
    return Features(frame, rows["reasons"][order], case, late_ticks=late_ticks)


def _whole(name: str, numbers: Int64) -> pl.Series:
    unknown = numbers == NAT
    series = pl.Series(name, numbers)
    return series.set(pl.Series(unknown), None) if unknown.any() else series
