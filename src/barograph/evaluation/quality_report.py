"""What the quality gate says of candles: its policy, its rules, and the report."""

import msgspec
import polars as pl

TEXTS = ("open", "high", "low", "close", "volume", "quote_volume")
"""Columns of a table of candles that are decimal texts, as their source wrote them."""

SCHEMA = {"line": pl.Int64, "start_s": pl.Int64, **dict.fromkeys(TEXTS, pl.String)}
"""A table of candles: the row's number in its source, Unix second of the open, and the texts."""

LEAST_ROWS = 168
"""Shares of a shorter table are taken of a week of hours: one bad hour of three is no third."""


class QualityPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be wrong with candles before nothing of them is used.

    Shares are of the rows (`max_missing_share`: of the span); one row may always be wrong.
    `max_jump` is the largest believable log return from one close to the next, `max_age_h` the
    largest age of the newest candle in hours, `min_volume` what the median volume of candles with
    trades must exceed. `age_stops`: whether candles that are too old are refused, or only reported.
    """

    max_null_share: float = 0.01
    max_bad_share: float = 0.001
    max_missing_share: float = 0.05
    max_jump: float = 0.5
    max_age_h: float = 48.0
    min_volume: float = 0.0
    age_stops: bool = False


class BadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that breaks a rule: its number, Unix second of its open if it has one, and values."""

    line: int
    start_s: int | None
    values: str


class RuleResult(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: `failed` of `of` rows break it, `allowed` may; `stops` where it ends everything.

    `first` has the first rows that break it.
    """

    name: str
    meaning: str
    failed: int
    of: int
    allowed: int
    stops: bool
    first: tuple[BadRow, ...] = ()


class QualityReport(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of candles of one product from one source.

    `good` of the `rows` break no rule; `empty` of them had no trade. `missing` candles lie between
    the first and the last one. `null_shares` are of each column. `policy` is what they were
    measured by at `judged_time_ns`; `passed` says whether they may be used.
    """

    source: str
    product: str
    form: str
    step_s: int
    rows: int
    good: int
    empty: int
    missing: int
    first_s: int | None
    last_s: int | None
    null_shares: dict[str, float]
    rules: tuple[RuleResult, ...]
    policy: QualityPolicy
    passed: bool
    judged_time_ns: int

    @property
    def broken(self) -> list[RuleResult]:
        """The rules that any row breaks, those that stop first."""
        return sorted((rule for rule in self.rules if rule.failed), key=lambda each: not each.stops)
