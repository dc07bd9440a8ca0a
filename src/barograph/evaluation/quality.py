"""The quality gate of candles: what is wrong with which rows, and whether the rest may be used.

Rules are checks of a Pandera schema over a Polars frame, the only place that loads Pandera. Pure:
nothing is read or written.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import polars as pl

from barograph.evaluation.quality_report import (
    LEAST_ROWS,
    TEXTS,
    BadRow,
    QualityPolicy,
    QualityReport,
    RuleResult,
)
from barograph.types import NS_PER_S

if TYPE_CHECKING:
    from pandera.api.polars.types import PolarsData

SHOWN_ROWS = 10

_PRICES = ("open", "high", "low", "close")
_VOLUMES = ("volume", "quote_volume")
_MOST = 0.99e18  # of a Price or a Size
_NEEDED = ("start_s", *_PRICES, "volume")


class Judged(NamedTuple):
    """A report, and the rows that break no rule, ascending in time, as they came."""

    report: QualityReport
    good: pl.DataFrame

    def before(self, until_s: int) -> "Judged":
        """The same report, with the rows that open before the Unix second `until_s`."""
        return self._replace(good=self.good.filter(pl.col("start_s") < until_s))


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged: where candles come from, their product, form and step, and when it is."""

    source: str
    product: str
    form: str
    step_s: int
    now_ns: int


class _Rule(NamedTuple):
    """A rule: an expression that is true for each good row, or for the whole table."""

    name: str
    meaning: str
    holds: pl.Expr
    share: float
    whole: bool = False
    reports_only: bool = False


def judge(table: pl.DataFrame, policy: QualityPolicy, subject: Subject) -> Judged:
    """Judge a table of SCHEMA, in the order in which its source has it."""
    numbers = _numbers(table, subject.step_s)
    rules = _rules(policy, subject, len(table))
    broken = _broken(numbers, rules)
    row_rules = [rule for rule in rules if not rule.whole]
    bad = pl.Series("bad", [False] * len(table), dtype=pl.Boolean)
    for rule in row_rules:
        if rule.name in broken:
            bad |= ~broken[rule.name]
    results = [_result(rule, broken.get(rule.name), table, numbers) for rule in rules]
    good = table.filter(~bad).sort("start_s")
    results.append(_least(len(good)))
    span = numbers.select(pl.col("start_s").min().alias("a"), pl.col("start_s").max().alias("b"))
    first_s, last_s = span.row(0)
    report = QualityReport(
        source=subject.source,
        product=subject.product,
        form=subject.form,
        step_s=subject.step_s,
        rows=len(table),
        good=len(good),
        empty=int(numbers.filter(~bad)["empty"].sum()),
        missing=_missing(numbers, subject.step_s),
        first_s=first_s,
        last_s=last_s,
        null_shares={name: numbers[name].null_count() / max(len(table), 1) for name in _NEEDED},
        rules=tuple(results),
        policy=policy,
        passed=not any(result.stops for result in results),
        judged_time_ns=subject.now_ns,
    )
    return Judged(report, good)


def merged(tables: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Tables of pages as one, of each candle the last that came."""
    return pl.concat(tables).unique("start_s", keep="last", maintain_order=True).sort("start_s")


def as_numbers(table: pl.DataFrame) -> pl.DataFrame:
    """The same rows with numbers for texts; null where a text is none, or is not finite."""
    cast = [pl.col(name).cast(pl.Float64, strict=False) for name in TEXTS]
    finite = [pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in TEXTS]
    return table.with_columns(cast).with_columns(finite)


def _numbers(table: pl.DataFrame, step_s: int) -> pl.DataFrame:
    """Numbers, and what rules need of other rows: `before` and `before_that` are earlier closes."""
    close = pl.col("close").sort_by("start_s")
    ranked = as_numbers(table).with_row_index("place")
    in_time = (
        ranked.filter(pl.col("start_s").is_not_null() & (pl.col("close") > 0))
        .sort("start_s", maintain_order=True)
        .select("place", before=close.shift(1), before_that=close.shift(2))
    )
    no_price = pl.all_horizontal(pl.col(name).is_null() for name in _PRICES)
    return ranked.join(in_time, on="place", how="left", maintain_order="left").with_columns(
        empty=(no_price & (pl.col("volume") == 0)).fill_null(value=False),
        latest=pl.col("start_s").cum_max().shift(1),
        step_s=pl.lit(step_s, pl.Int64),
    )


def _rules(policy: QualityPolicy, subject: Subject, rows: int) -> list[_Rule]:
    start, now_s = pl.col("start_s"), subject.now_ns // NS_PER_S
    open_, high, low, close = (pl.col(name) for name in _PRICES)
    jump, step_s = policy.max_jump, subject.step_s
    twice = start.is_not_null() & start.is_duplicated()
    alike = pl.struct("start_s", *TEXTS).n_unique().over("start_s") == 1
    leap = (close / pl.col("before")).log().abs() > jump
    leap_too = (close / pl.col("before_that")).log().abs().fill_null(value=jump + 1) > jump
    wick = (high / low).log() > 2 * jump
    known = pl.all_horizontal(pl.col(name).is_not_null() for name in _NEEDED)
    bad = policy.max_bad_share
    traded = pl.col("volume").filter(pl.col("volume") > 0)
    return [
        _Rule(
            "values",
            "every time, price and volume is a number",
            known | pl.col("empty"),
            policy.max_null_share,
        ),
        _Rule(
            "positive",
            "prices are above 0, volumes not below it, and all of them below 1e18",
            pl.all_horizontal(pl.col(name).is_between(1e-18, _MOST) for name in _PRICES)
            & pl.all_horizontal(pl.col(name).is_between(0, _MOST) for name in _VOLUMES),
            bad,
        ),
        _Rule(
            "range",
            "low ≤ open, close ≤ high",
            (low <= pl.min_horizontal(open_, close))
            & (high >= pl.max_horizontal(open_, close))
            & (low <= high),
            bad,
        ),
        _Rule(
            "jump",
            f"no close is more than {jump:g} (log) from the two before it, no range twice as wide",
            ~((leap & leap_too).fill_null(value=False) | wick.fill_null(value=False)),
            bad,
        ),
        _Rule("whole", f"candles open at multiples of {step_s:,} s", start % step_s == 0, bad),
        _Rule(
            "twice",
            "each candle stands there once",
            ~(twice & ~(alike & start.is_first_distinct())),
            bad,
        ),
        _Rule("order", "times do not go back", start >= pl.col("latest"), bad),
        _Rule("finished", "candles have ended", start + step_s <= now_s, bad),
        _Rule(
            "missing",
            f"at most {policy.max_missing_share:.1%} of the candles are missing",
            _missing_expr(step_s) <= _allowed(policy.max_missing_share, rows),
            policy.max_missing_share,
            whole=True,
        ),
        _Rule(
            "fresh",
            f"the newest candle is at most {policy.max_age_h:g} h old",
            start.max() + step_s >= now_s - policy.max_age_h * 3600,
            0.0,
            whole=True,
            reports_only=not policy.age_stops,
        ),
        _Rule(
            "volume",
            f"the median volume of candles with trades is above {policy.min_volume:g}",
            (traded.median() > policy.min_volume).fill_null(value=rows < LEAST_ROWS),
            0.0,
            whole=True,
        ),
    ]


def _broken(numbers: pl.DataFrame, rules: Iterable[_Rule]) -> dict[str, pl.Series]:
    """Of each rule that does not hold: whether it holds for each row, or once for the table."""
    import pandera.polars as pa  # noqa: PLC0415 - it takes a second to load
    from pandera.constants import CHECK_OUTPUT_KEY  # noqa: PLC0415 - as above
    from pandera.errors import SchemaErrors  # noqa: PLC0415 - as above

    # Its table of failed values is not used: the outcome of each check tells all rows.
    checks = [pa.Check(_check(rule), name=rule.name, n_failure_cases=1) for rule in rules]
    columns = {
        "start_s": pa.Column(pl.Int64, nullable=True),
        **{name: pa.Column(pl.Float64, nullable=True) for name in TEXTS},
    }
    try:
        pa.DataFrameSchema(columns, checks=checks).validate(numbers, lazy=True)
    except SchemaErrors as errors:
        return {
            error.check.name: error.check_output[CHECK_OUTPUT_KEY] for error in errors.schema_errors
        }
    return {}


def _check(rule: _Rule) -> Callable[["PolarsData"], pl.LazyFrame]:
    holds = rule.holds.fill_null(value=True).alias(rule.name)
    return lambda data: data.lazyframe.with_columns(holds).select(rule.name)


def _result(
    rule: _Rule, holds: pl.Series | None, table: pl.DataFrame, numbers: pl.DataFrame
) -> RuleResult:
    rows, failed = len(table), 0
    first: tuple[BadRow, ...] = ()
    counted = rule.name == "missing"
    allowed = 0 if rule.whole and not counted else _allowed(rule.share, rows)
    if counted:
        failed = _missing(numbers, int(numbers["step_s"].item(0))) if rows else 0
    elif holds is not None and rule.whole:
        failed = 1
    elif holds is not None:
        wrong = table.filter(~holds)
        failed = len(wrong)
        first = tuple(_row(row) for row in wrong.head(SHOWN_ROWS).iter_rows(named=True))
    return RuleResult(
        name=rule.name,
        meaning=rule.meaning,
        failed=failed,
        of=1 if rule.whole and not counted else rows,
        allowed=allowed,
        stops=failed > allowed and not rule.reports_only,
        first=first,
    )


def _least(good: int) -> RuleResult:
    meaning = "at least one candle breaks no rule"
    failed = int(not good)
    return RuleResult(
        name="any", meaning=meaning, failed=failed, of=1, allowed=0, stops=bool(failed)
    )


def _row(row: dict[str, object]) -> BadRow:
    values = ", ".join(f"{name} {row[name] or '–'}" for name in TEXTS)
    start_s = row["start_s"]
    return BadRow(
        line=int(str(row["line"])),
        start_s=None if start_s is None else int(str(start_s)),
        values=values,
    )


def _missing_expr(step_s: int) -> pl.Expr:
    """Candles that lack between the first and the last, as an expression."""
    start = pl.col("start_s").drop_nulls()
    span = (start.max() - start.min()) // step_s + 1
    return (span - (start // step_s).n_unique()).fill_null(0)


def _missing(numbers: pl.DataFrame, step_s: int) -> int:
    return int(numbers.select(_missing_expr(step_s)).item())


def _allowed(share: float, rows: int) -> int:
    return max(1, int(share * max(rows, LEAST_ROWS)))
