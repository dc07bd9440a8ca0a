"""Predictions for recordings, as a table: the live path on a log that is thrown away.

Recordings are replayed into a temporary home, through the feed and the featurizer of a live run,
and their rows go through the scorer: the same bits as live, and no home is touched.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, tzinfo
from itertools import islice
from pathlib import Path

import msgspec
import polars as pl

from barograph.app import wiring
from barograph.app.intake import feed_of
from barograph.app.settings import Settings
from barograph.app.terminal.terminal import Bar
from barograph.cases.case import Case, live_of
from barograph.codec import decode_prediction
from barograph.errors import BadInputError, TooLittleDataError
from barograph.feed.replay import replay
from barograph.feed.summary import Summary
from barograph.files import parquet, scratch
from barograph.files.disk import check_room, declared, put_in_place
from barograph.log import browse, open_log
from barograph.log.topics import TICKS
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.worker import when_idle
from barograph.registry.model import Model
from barograph.types import Prediction

_ROWS = 4096
"""Rows that are scored between two words of progress."""

_ROOM_BYTES = 1 << 20

COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "time": pl.Datetime("ns", "UTC"),
    "product": pl.String,
    "probability": pl.Float64,
    "verdict": pl.String,
    "threshold": pl.Float64,
    "alarm": pl.Boolean,
    "tau": pl.Float64,
    "model": pl.String,
}
"""The table's columns; `time` is the end of the second after which the prediction was made."""


class PredictPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is predicted: recordings, of these products (all if empty), into the file `out`.

    `zone` is that of recorded times without one.
    """

    files: Sequence[Path]
    out: Path
    products: Sequence[str] = ()
    zone: tzinfo = UTC


class Predicted(msgspec.Struct, frozen=True, kw_only=True):
    """A table of predictions: rows by product and by verdict, alarms, and what was read for it."""

    out: str
    model: str
    rows: int
    products: dict[str, int]
    verdicts: dict[str, int]
    alarms: int
    feed: Summary
    seconds: float


def predict(  # noqa: PLR0913 - what is scored with what, and whom to tell
    settings: Settings,
    case: Case,
    model: Model,
    plan: PredictPlan,
    warn: Callable[[str], None],
    progress: Bar,
) -> Predicted:
    """Score recordings with `model` and write the table as Parquet, whole or not at all.

    Raises BadInputError for a case that is not of the market, and for an `out` that cannot be
    written; TooLittleDataError if no second closes; and as `replay` does.
    """
    if live_of(case).source != TICKS:
        raise BadInputError(
            f"case {case.name}", "it is not of the market", "Use a case of ticks, as spikes"
        )
    _check(plan.out)
    started_s = time.monotonic()
    with scratch.folder("barograph-predict-") as place:
        own = settings.model_copy(update={"home": place})
        fed = _fed(own, plan, warn, progress)
        progress.say("featurizing")
        wiring.stages(own, place, case, warn).featurize(when_idle)
        predictions = _scored(own, case, model, progress)
    if not predictions:
        raise TooLittleDataError(
            ", ".join(fed.files),
            f"no closed second in {sum(fed.products.values())} ticks",
            "some minutes",
            "Name a longer recording",
        )
    table = pl.DataFrame([_row(each) for each in predictions], COLUMNS, orient="row")
    _put(table.sort("time", "product"), plan.out)
    return Predicted(
        out=str(plan.out),
        model=model.label,
        rows=len(table),
        products=_counts(table, "product"),
        verdicts=_counts(table, "verdict"),
        alarms=int(table["alarm"].sum()),
        feed=fed,
        seconds=round(time.monotonic() - started_s, 3),
    )


def _check(out: Path) -> None:
    if not out.name or out.is_dir():
        raise BadInputError(f"--out {out}", "it names no file", "Name one, as in p.parquet")
    check_room(out.parent, _ROOM_BYTES)


def _fed(
    settings: Settings, plan: PredictPlan, warn: Callable[[str], None], progress: Bar
) -> Summary:
    with (
        closing(open_log(settings.home)) as log,
        closing(feed_of(settings, log, plan.products, warn)) as feed,
    ):
        return replay(feed, plan.files, None, progress.bytes_and_ticks, plan.zone, warn)


def _scored(settings: Settings, case: Case, model: Model, progress: Bar) -> list[Prediction]:
    """The predictions of all rows of the log in home, each in its row's place."""
    live = live_of(case)
    scorer = Scorer(live, model, stale_after_s=settings.stale_after_s)
    predictions: list[Prediction] = []
    with closing(open_log(settings.home)) as log:
        rows = browse.records(log, live.rows)
        while some := list(islice(rows, _ROWS)):
            values = scorer.receive(some).values
            predictions += [decode_prediction(value) for _product, value in values]
            progress.rows(len(predictions))
    return predictions


def _row(of: Prediction) -> tuple[object, ...]:
    return (
        of.event_time_ns, of.product, of.probability, of.verdict.value, of.threshold, of.alarm,
        of.tau, of.model,
    )  # fmt: skip


def _counts(table: pl.DataFrame, column: str) -> dict[str, int]:
    return dict(table.group_by(column).len().sort(column).iter_rows())


def _put(table: pl.DataFrame, out: Path) -> None:
    partial = out.with_name(f"{out.name}.partial")
    with declared(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            parquet.write(table, partial)
            put_in_place(partial, out)
        finally:
            partial.unlink(missing_ok=True)
