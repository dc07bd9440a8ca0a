"""GET /v1/cases/{case}/forecast: the value one horizon later, with its interval, for each key.

Cases whose rows come from the same source and topic forecast the same series over other horizons:
together they are a fan.
"""

from typing import Annotated

import msgspec
import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from barograph.app.web.answers import SeriesPrediction
from barograph.app.web.downsample import held_by_interval
from barograph.app.web.reading import CaseName, in_thread, series_of, site_of, unknown_key
from barograph.app.web.refused import RefusedError, answered
from barograph.app.web.series_board import SeriesBoard
from barograph.app.web.site import Site
from barograph.arrays import Records
from barograph.cases.case import Case
from barograph.cases.cold_start import COLD_START
from barograph.evaluation.conformal import LevelRule
from barograph.evaluation.labels import later
from barograph.types import NS_PER_S

router = APIRouter()

ForecastKey = Annotated[
    str, Query(max_length=200, description="A product, or whatever keys the case; empty for all.")
]


class LevelForecast(msgspec.Struct, frozen=True, kw_only=True):
    """The newest forecast of one case for one key, made at the end of `second` for `due_ns`.

    `value` names what is forecast, in `unit`; `value_now` is what it is at `time_ns`. `median` is
    as likely to be exceeded as not, `forecast` is the root of the expected square, and the value
    lies from `low` to `high` with probability `coverage`; null while that is not known, for the
    `reason`. `probability` is that the value reaches `tau`. `held` of the `matured` forecasts in
    memory had the value that came within their interval.
    """

    case: str
    horizon_s: int
    second: int
    time_ns: int
    due_ns: int
    value: str
    unit: str
    value_now: float | None
    median: float | None
    forecast: float | None
    low: float | None
    high: float | None
    coverage: float
    held: int
    matured: int
    probability: float | None
    tau: float | None
    threshold: float | None
    alarm: bool
    verdict: str
    reason: str
    model: str


class KeyForecasts(msgspec.Struct, frozen=True):
    """The newest forecast of a key, and those of all cases of its rows, the shortest first."""

    product: str
    newest: LevelForecast
    fan: list[LevelForecast]


class ForecastAnswer(msgspec.Struct, frozen=True):
    """The forecasts of a case, by key."""

    case: str
    forecasts: list[KeyForecasts]


@router.get("/v1/cases/{case}/forecast")
async def forecast(request: Request, case: CaseName, key: ForecastKey = "") -> Response:
    """The newest forecast of each key's value, with its interval, and the fan of horizons.

    Only of a case that forecasts the value itself; the fan has every such case of the same rows.
    """
    site = site_of(request)
    board = _level_board(site, case)
    if key and board.latest(key) is None:
        raise unknown_key(board, key)
    fan = sorted(_fan(site, board), key=lambda each: each.live.horizon_s)
    forecasts = []
    for product in [key] if key else board.keys():
        by_case = {each.name: await _newest(site, each, product) for each in fan}
        newest = by_case[board.name]
        if newest is not None:
            known = [made for made in by_case.values() if made is not None]
            forecasts.append(KeyForecasts(product, newest, known))
    return answered(ForecastAnswer(board.name, forecasts))


def _level_board(site: Site, name: str) -> SeriesBoard:
    """The board of a case with a level. Raises RefusedError (404) for any other."""
    board = series_of(site, name)
    if board.case.level is None:
        others = ", ".join(case.name for case in site.cases.values() if _has_level(case))
        cure = f"Use /v1/cases/{board.name}/predictions for its probabilities"
        more = f", or one of {others} here." if others else "."
        raise RefusedError(404, f"case {board.name}: it forecasts no value.", cure + more)
    return board


def _has_level(case: Case) -> bool:
    return case.live is not None and case.level is not None


def _fan(site: Site, board: SeriesBoard) -> list[SeriesBoard]:
    """The boards that forecast from the rows of this one."""
    return [
        each
        for each in site.boards.values()
        if isinstance(each, SeriesBoard)
        and each.case.level is not None
        and (each.live.source, each.live.rows) == (board.live.source, board.live.rows)
    ]


async def _newest(site: Site, board: SeriesBoard, product: str) -> LevelForecast | None:
    newest, rows, rule = board.latest(product), board.rows.get(product), board.case.level
    if newest is None or rows is None or rule is None:
        return None
    horizon_s = board.live.horizon_s
    held, matured = await in_thread(site, _held, rows.between(-1, 2**62), horizon_s)
    return _forecast(board, newest, rule, (held, matured))


def _held(rows: Records, horizon_s: int) -> tuple[int, int]:
    """How many values lay within their interval, and of how many that is known."""
    came = later(rows["second"], rows["value"], horizon_s=horizon_s)
    inside = held_by_interval(rows, came, horizon_s)
    return int(np.nansum(inside)), int(np.count_nonzero(~np.isnan(inside)))


def _forecast(
    board: SeriesBoard, newest: SeriesPrediction, rule: LevelRule, held: tuple[int, int]
) -> LevelForecast:
    return LevelForecast(
        case=board.name,
        horizon_s=newest.horizon_s,
        second=newest.time_ns // NS_PER_S - 1,
        time_ns=newest.time_ns,
        due_ns=newest.time_ns + newest.horizon_s * NS_PER_S,
        value=board.live.value_now,
        unit=board.live.unit,
        value_now=newest.value_now,
        median=newest.median,
        forecast=newest.forecast,
        low=newest.low,
        high=newest.high,
        coverage=rule.coverage,
        held=held[0],
        matured=held[1],
        probability=newest.probability,
        tau=newest.tau,
        threshold=newest.threshold,
        alarm=newest.alarm,
        verdict=newest.verdict,
        reason=_without_value(newest) or newest.reason,
        model=newest.model,
    )


def _without_value(newest: SeriesPrediction) -> str:
    """Why there is a probability of tau and no forecast value; empty where there is one."""
    if newest.median is not None or newest.probability is None:
        return ""
    if newest.model == COLD_START:
        return "no model yet: until then only whether the value reaches tau is forecast"
    return f"{newest.model} forecasts only whether the value reaches tau"
