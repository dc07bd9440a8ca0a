"""Splits in time as scikit-learn's splitters: purge and embargo between train and test."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from barograph.arrays import Int64
from barograph.cases.series import REGIME_HOLE_S, REGIME_ROWS
from barograph.evaluation import splits
from barograph.evaluation.labels import HORIZON_S
from barograph.feature_set.catalogue import COLUMN, FEATURES
from barograph.library import arguments
from barograph.library.split_rows import columns_of, known_rows, seconds_of

_EMBARGO_S = 300
"""Where neither it nor the columns are known."""


_MOST = {"n_splits": 10_000}
"""Of folds; of seconds and rows it is a thousand million."""


class _Splitter:
    """What both splitters share: which rows count, the embargo, and scikit-learn's protocol."""

    def __init__(self, horizon_s: int, embargo_s: int | None, min_rows: int) -> None:
        self.horizon_s, self.embargo_s, self.min_rows = horizon_s, embargo_s, min_rows
        for name, value in vars(self).items():
            if name == "first_share":
                arguments.share(name, value)
            elif name != "embargo_s" or value is not None:
                least = 0 if name == "embargo_s" else 1
                arguments.whole_number(name, value, least=least, most=_MOST.get(name, 10**9))

    def split(
        self,
        X: object,
        y: object = None,
        groups: object = None,
    ) -> Iterator[tuple[Int64, Int64]]:
        """Yield (train rows, test rows) of each fold: (m,) int64 indices into `X`, increasing.

        groups: (n,) the epoch second of each row, in any order and pooled over products;
        `X["second"]` where it is left out. Rows whose `y` is null or NaN are on no side: what
        cannot be known is neither learned nor judged.
        Raises BadInputError where a row of `X` has no second, for seconds that are no whole numbers
        from 1970 to 2262 (milliseconds, say) and for a `y` of other rows,
        TooLittleDataError for a side with fewer than `min_rows` rows.
        """
        second, columns = seconds_of(X, groups), columns_of(X)
        used = np.flatnonzero(known_rows(y, len(second)))
        if leak := self._leak(columns):
            warnings.warn(leak, stacklevel=2)
        for train, test in self._sides(second[used], columns):
            yield used[train], used[test]

    def get_metadata_routing(self) -> object:
        """What scikit-learn's metadata routing passes to `split`: groups."""
        from sklearn.utils.metadata_routing import MetadataRequest  # noqa: PLC0415 - heavy

        request = MetadataRequest(owner=self)
        request.split.add_request(param="groups", alias=True)
        return request

    def _sides(self, second: Int64, columns: Sequence[str]) -> list[tuple[Int64, Int64]]:
        raise NotImplementedError

    def _plan(self, columns: Sequence[str], **others: Any) -> splits.SplitPlan:  # noqa: ANN401
        return splits.SplitPlan(
            horizon_s=self.horizon_s,
            embargo_s=self._embargo_s(columns),
            min_rows=self.min_rows,
            **others,
        )

    def _embargo_s(self, columns: Sequence[str]) -> int:
        if self.embargo_s is not None:
            return self.embargo_s
        return max(_reaches_s(columns).values(), default=_EMBARGO_S)

    def _leak(self, columns: Sequence[str]) -> str:
        """What a split of these columns shares between train and test; empty for nothing."""
        reaches = _reaches_s(columns)
        longest = max(reaches, key=lambda name: reaches[name], default=None)
        if self.embargo_s is None or longest is None or reaches[longest] <= self.embargo_s:
            return ""
        return (
            f"embargo_s={self.embargo_s} is less than the {reaches[longest]} s of {longest}: "
            "train and test share seconds. Use embargo_s=None, or leave that column out."
        )

    def __repr__(self) -> str:
        of = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({of})"


class PurgedWalkForward(_Splitter):
    """Folds in time order, each trained only on what was known before its test.

    A scikit-learn splitter, as `barograph train` splits. All products are cut at the same moments.
    `first_share` of the rows come before the first test; the rest are `n_splits` tests of equal
    size. No train row is nearer to a test than `horizon_s` (its label) plus `embargo_s` (the
    longest window of a feature), so no second is used by both.

    embargo_s: None for the longest window of the columns of `X`, as far as they are features of the
    catalogue, and 300 where `X` has no names. A shorter one than that is warned of.
    min_rows: fewest rows of a side.
    Source: López de Prado (2018), Advances in Financial Machine Learning, ch. 7.

    >>> second = np.arange(6000)
    >>> cv = bg.PurgedWalkForward(n_splits=2, horizon_s=60, embargo_s=300)
    >>> for train, test in cv.split(second, groups=second):
    ...     print(f"trained on 0 to {train[-1]}, tested on {test[0]} to {test[-1]}")
    trained on 0 to 2039, tested on 2400 to 4199
    trained on 0 to 3839, tested on 4200 to 5999
    """

    def __init__(
        self,
        n_splits: int = 4,
        *,
        horizon_s: int = HORIZON_S,
        embargo_s: int | None = None,
        first_share: float = splits.FIRST_SHARE,
        min_rows: int = 300,
    ) -> None:
        self.n_splits, self.first_share = n_splits, first_share
        super().__init__(horizon_s, embargo_s, min_rows)

    def get_n_splits(
        self,
        X: object = None,  # noqa: ARG002 - scikit-learn passes all three
        y: object = None,  # noqa: ARG002
        groups: object = None,  # noqa: ARG002
    ) -> int:
        """The number of folds."""
        return self.n_splits

    def _sides(self, second: Int64, columns: Sequence[str]) -> list[tuple[Int64, Int64]]:
        return splits.forward_sides(second, self._plan(columns))

    def _plan(self, columns: Sequence[str], **others: Any) -> splits.SplitPlan:  # noqa: ANN401
        return super()._plan(columns, folds=self.n_splits, first_share=self.first_share, **others)


class LeaveSessionOut(_Splitter):
    """One fold for each session, trained on all the others: whether a model transfers.

    A scikit-learn splitter, as `barograph train` splits three or more sessions. A hole of more than
    `hole_s` between rows begins a session; one of fewer than `min_rows` rows is only trained on.
    Later sessions are trained on too: it says nothing of how a model would have done in time.
    Purge and embargo, with `horizon_s` and `embargo_s`, are as for `PurgedWalkForward`.

    >>> second = np.concatenate([np.arange(1000) + day * 86_400 for day in range(3)])
    >>> cv = bg.LeaveSessionOut(horizon_s=60, embargo_s=300)
    >>> [(len(train), len(test)) for train, test in cv.split(second, groups=second)]
    [(2000, 1000), (2000, 1000), (2000, 1000)]
    """

    def __init__(
        self,
        *,
        horizon_s: int = HORIZON_S,
        embargo_s: int | None = None,
        hole_s: int = REGIME_HOLE_S,
        min_rows: int = REGIME_ROWS,
    ) -> None:
        self.hole_s = hole_s
        super().__init__(horizon_s, embargo_s, min_rows)

    def get_n_splits(
        self,
        X: object = None,
        y: object = None,
        groups: object = None,
    ) -> int:
        """The number of folds, which the seconds tell. Raises BadInputError without them."""
        return sum(1 for _ in self.split(X, y, groups))

    def _sides(self, second: Int64, columns: Sequence[str]) -> list[tuple[Int64, Int64]]:
        session = splits.sessions(second, hole_s=self.hole_s)
        return splits.session_sides(second, session, self._plan(columns))


def _reaches_s(columns: Sequence[str]) -> dict[str, int]:
    """How far back each column looks, in seconds, as far as they are features of the catalogue."""
    return {name: FEATURES[COLUMN[name]].reach_s for name in columns if name in COLUMN}
