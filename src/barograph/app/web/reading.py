"""The routes that read: cases, predictions, series, status."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from barograph.app.web.answers import ListedCase, RecordScore, SeriesPrediction
from barograph.app.web.boards import Board, in_order
from barograph.app.web.cursor import LONGEST, decoded, encoded
from barograph.app.web.downsample import MOST_BUCKETS, downsampled, step_for
from barograph.app.web.refused import RefusedError, answered
from barograph.app.web.series_board import SeriesBoard
from barograph.app.web.series_rows import WINDOW_STEPS, SeriesRows
from barograph.app.web.site import Site, in_executor
from barograph.log import Log, browse
from barograph.types import DAY_S, LATEST_NS, NS_PER_S, Record

T = TypeVar("T")

MOST_PREDICTIONS = 1_000
"""Predictions of one page at most."""

MOST_SPAN_S = WINDOW_STEPS * 3_600
"""Seconds before `to` at most; hours are kept so long."""

WHOLE_S = 10.0
"""A series waits so long for rows that a server that starts has still to read."""

_PAGE_S = 3_600
_PAGE_STEPS = 60

CaseName = Annotated[str, Path(max_length=200, description="A case, as /v1/cases lists it.")]
CaseQuery = Annotated[str, Query(max_length=200, description="A case; empty for the default.")]
Key = Annotated[str, Path(max_length=200, description="A product, or whatever keys the case.")]
Since = Annotated[str, Query(max_length=LONGEST, description="`next` of the last page.")]
Limit = Annotated[int, Query(ge=1, le=MOST_PREDICTIONS)]
FromNs = Annotated[
    int | None, Query(alias="from", ge=0, le=LATEST_NS, description="Unix nanoseconds.")
]
ToNs = Annotated[int | None, Query(alias="to", ge=0, le=LATEST_NS, description="Unix nanoseconds.")]
Step = Annotated[int | None, Query(ge=1, le=DAY_S, description="Seconds of a bucket.")]
Span = Annotated[
    int | None,
    Query(ge=1, le=MOST_SPAN_S, description="Seconds before `to`, instead of `from`."),
]


class CaseList(msgspec.Struct, frozen=True):
    """All cases that are served."""

    cases: list[ListedCase]


class KeyList(msgspec.Struct, frozen=True):
    """The keys of a case with a prediction."""

    case: str
    keys: list[str]


class ProductList(msgspec.Struct, frozen=True):
    """The products of the default case."""

    case: str
    products: list[str]


class PredictionPage(msgspec.Struct, frozen=True):
    """Predictions in the order of the log; `next` is the cursor of the page behind them."""

    predictions: list[SeriesPrediction]
    next: str


class ScorePage(msgspec.Struct, frozen=True):
    """Records' predictions in the order of the log; `next` is the cursor behind them."""

    predictions: list[RecordScore]
    next: str


def site_of(request: Request) -> Site:
    """The site of the application."""
    site: Site = request.app.state.site
    return site


def board_of(site: Site, case: str) -> Board:
    """The board of a case. Raises RefusedError (404) for one that is not served."""
    if case and case not in site.boards:
        known = ", ".join(site.boards)
        raise RefusedError(404, f"case {case[:100]}: it is not served.", f"Use one of {known}.")
    return site.board(case)


def series_of(site: Site, case: str) -> SeriesBoard:
    """The board of a series case. Raises RefusedError (404) for any other."""
    board = board_of(site, case)
    if not isinstance(board, SeriesBoard):
        raise RefusedError(
            404,
            f"case {board.name}: it has records and no series.",
            f"Use /v1/cases/{board.name}/status or /v1/cases/{board.name}/predictions.",
        )
    return board


async def in_thread(site: Site, function: Callable[..., T], *arguments: object) -> T:
    """Run what blocks beside the event loop."""
    return await in_executor(site.threads, function, *arguments)


router = APIRouter()


@router.get("/v1/cases")
async def cases(request: Request) -> Response:
    """All cases with their kind, unit, horizon and keys."""
    site = site_of(request)
    return answered(CaseList([_listed(site, board) for board in site.boards.values()]))


def _listed(site: Site, board: Board) -> ListedCase:
    is_default = board.name == site.default
    if isinstance(board, SeriesBoard):
        live = board.live
        return ListedCase(
            name=board.name,
            kind="series",
            value=live.value_now,
            unit=live.unit,
            horizon_s=live.horizon_s,
            step_s=live.step_s,
            keys=board.keys(),
            default=is_default,
            coverage=None if board.case.level is None else board.case.level.coverage,
        )
    return ListedCase(
        name=board.name,
        kind="records",
        value=site.cases[board.name].outcome_axis.name,
        unit="",
        horizon_s=None,
        step_s=None,
        keys=board.keys(),
        default=is_default,
        coverage=None,
    )


@router.get("/v1/products")
async def products(request: Request) -> Response:
    """The products of the default case that have a prediction."""
    board = site_of(request).board("")
    return answered(ProductList(board.name, board.keys()))


@router.get("/v1/cases/{case}/keys")
async def keys(request: Request, case: CaseName) -> Response:
    """The keys of a case that have a prediction."""
    board = board_of(site_of(request), case)
    return answered(KeyList(board.name, board.keys()))


@router.get("/v1/predictions")
async def predictions(request: Request, since: Since = "", limit: Limit = 100) -> Response:
    """Predictions of the default case in the order of the log, a page at a time.

    Without `since` the newest; with `next` of the last page those behind it.
    """
    return await _page(site_of(request), "", since, limit)


@router.get("/v1/cases/{case}/predictions")
async def case_predictions(
    request: Request, case: CaseName, since: Since = "", limit: Limit = 100
) -> Response:
    """Predictions of a case in the order of the log, a page at a time."""
    return await _page(site_of(request), case, since, limit)


@router.get("/v1/predictions/{product:path}")
async def prediction(request: Request, product: Key) -> Response:
    """The newest prediction of a product, with its verdict and the reason."""
    return _latest(board_of(site_of(request), ""), product)


@router.get("/v1/cases/{case}/predictions/{key:path}")
async def case_prediction(request: Request, case: CaseName, key: Key) -> Response:
    """The newest prediction of a key of a case, with its verdict and the reason."""
    return _latest(board_of(site_of(request), case), key)


def _latest(board: Board, key: str) -> Response:
    newest = board.latest(key)
    if newest is None:
        raise unknown_key(board, key)
    return answered(newest)


def unknown_key(board: Board, key: str) -> RefusedError:
    """The refusal (404) of a key of which a board has no prediction."""
    keys = board.keys()
    few = ", ".join(keys[:5]) + (" …" if len(keys) > 5 else "")
    cure = f"Use one of {few}." if keys else "Wait for the first prediction, or start a feed."
    return RefusedError(404, f"{key[:100]}: case {board.name} has no prediction of it.", cure)


async def _page(site: Site, case: str, since: str, limit: int) -> Response:
    board = board_of(site, case)
    like = {board.target: list(board.places.positions.get(board.target, []))}
    start = decoded(since, like)[board.target] if since else None
    records, after = await in_thread(site, _read, site.log, board.target, like, start, limit)
    answers: list[Any] = [
        answer for record in records if (answer := board.answer(record)) is not None
    ]
    return answered(PredictionPage(answers, after))


def _read(
    log_of: Callable[[], Log],
    topic: str,
    like: dict[str, list[int]],
    start: list[int] | None,
    limit: int,
) -> tuple[list[Record], str]:
    """Up to `limit` records from `start` on, or the newest, with the cursor behind them."""
    log, ends = log_of(), like[topic]
    offsets = start or [max(0, end - limit) for end in ends]
    read: list[Record] = []
    for partition, offset in enumerate(offsets):
        if offset < ends[partition]:
            page = browse.page(log, topic, partition, offset, limit)
            read += [record for record in page if record.offset < ends[partition]]
    ordered = in_order(read)
    chosen = ordered[:limit] if start is not None else ordered[-limit:]
    after = list(start or ends)
    for record in chosen:
        after[record.partition] = max(after[record.partition], record.offset + 1)
    return chosen, encoded({topic: after})


@router.get("/v1/series/{product:path}")
async def series(  # noqa: PLR0913 - its query
    request: Request,
    product: Key,
    from_ns: FromNs = None,
    to_ns: ToNs = None,
    step: Step = None,
    span: Span = None,
) -> Response:
    """Price, volatility, probability, outcomes and gaps of a product, in buckets."""
    board = series_of(site_of(request), "")
    return await _series(site_of(request), board, product, (from_ns, to_ns, step, span))


@router.get("/v1/cases/{case}/series/{key:path}")
async def case_series(  # noqa: PLR0913 - its query
    request: Request,
    case: CaseName,
    key: Key,
    from_ns: FromNs = None,
    to_ns: ToNs = None,
    step: Step = None,
    span: Span = None,
) -> Response:
    """The series of a key of a case, in buckets."""
    board = series_of(site_of(request), case)
    return await _series(site_of(request), board, key, (from_ns, to_ns, step, span))


async def _series(
    site: Site,
    board: SeriesBoard,
    key: str,
    query: tuple[int | None, int | None, int | None, int | None],
) -> Response:
    from_ns, to_ns, step, span = query
    rows = board.rows.get(key) or board.new_rows()
    newest = rows.newest_second
    if to_ns is None:
        to_ns = time.time_ns() if newest is None else (newest + 1) * NS_PER_S
    if from_ns is None:
        from_ns = max(0, to_ns - (span or max(_PAGE_S, _PAGE_STEPS * board.live.step_s)) * NS_PER_S)
    span_s = -(-(to_ns - from_ns) // NS_PER_S)
    if span_s <= 0:
        raise RefusedError(422, f"from {from_ns} is not before to {to_ns}.", "Exchange the two.")
    row_step_s, horizon_s = board.live.step_s, board.live.horizon_s
    step_s = step or step_for(min(span_s, DAY_S), row_step_s)
    if step_s % row_step_s:
        cure = f"Use a multiple of {row_step_s}."
        raise RefusedError(422, f"step {step_s}: rows are {row_step_s} s apart.", cure)
    rows = await _rows_from(site, board, key, from_ns)
    copied = rows.between(from_ns // NS_PER_S - 1, -(-to_ns // NS_PER_S) + horizon_s)
    if len(copied) > MOST_BUCKETS and span_s // step_s > MOST_BUCKETS:
        cure = f"Use a step of {step_for(span_s, row_step_s)} or more, or a shorter span."
        raise RefusedError(422, f"{span_s // step_s:,} buckets are over {MOST_BUCKETS:,}.", cure)
    gaps = list(rows.gaps)

    def encoded_series() -> bytes:
        return msgspec.json.encode(
            downsampled(
                key,
                copied,
                gaps,
                from_ns=from_ns,
                to_ns=to_ns,
                step_s=step_s,
                row_step_s=row_step_s,
                horizon_s=horizon_s,
            )
        )

    return Response(await in_thread(site, encoded_series), media_type="application/json")


async def _rows_from(site: Site, board: SeriesBoard, key: str, from_ns: int) -> SeriesRows:
    """The rows of a key; where a server that starts has still to read a part of them, with that.

    Waits a while at most.
    """
    rows = board.rows.get(key) or board.new_rows()
    if site.ready.is_set() and not (len(rows) and rows.seconds[0] * NS_PER_S <= from_ns):
        with suppress(TimeoutError):
            async with asyncio.timeout(WHOLE_S):
                await site.whole.wait()
    return board.rows.get(key) or rows


@router.get("/v1/status")
async def status(request: Request, case: Annotated[str, Query(max_length=200)] = "") -> Response:
    """How a case is now: predictions, feed and model."""
    return answered(board_of(site_of(request), case).status(time.time_ns()))


@router.get("/v1/cases/{case}/status")
async def case_status(request: Request, case: CaseName) -> Response:
    """How a case is now: predictions, feed or records, and model."""
    return answered(board_of(site_of(request), case).status(time.time_ns()))
