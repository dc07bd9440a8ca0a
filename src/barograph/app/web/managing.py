"""The routes about health, models, alerts and dead letters, and those that change the registry."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from barograph import telemetry
from barograph.alert_records import AlertRecord
from barograph.app.registries import registry_of
from barograph.app.web.answers import ModelNow
from barograph.app.web.reading import CaseName, CaseQuery, board_of, in_thread, site_of
from barograph.app.web.refused import RefusedError, answered, decoded_body
from barograph.app.web.site import Site
from barograph.errors import BarographError, RegistryError, facts_and_cure
from barograph.pipeline import deadletters
from barograph.registry.audit import Promotion
from barograph.registry.model import ModelFacts
from barograph.types import LATEST_NS

CARD = "card.html"

router = APIRouter()


class ModelAnswer(msgspec.Struct, frozen=True):
    """The champion of a case, with its facts where there is one."""

    case: str
    model: ModelNow
    facts: ModelFacts | None


class AlertList(msgspec.Struct, frozen=True):
    """Alerts, each as it stands now, the newest first."""

    alerts: list[AlertRecord]


class LetterPage(msgspec.Struct, frozen=True):
    """The last dead letters of a case."""

    topic: str
    letters: list[deadletters.LetterLine]


class PromoteIn(msgspec.Struct, forbid_unknown_fields=True):
    """Which version becomes champion, and why."""

    version: int
    case: str = ""
    reason: Annotated[str, msgspec.Meta(max_length=1_000)] = "promoted over the API"


class RollbackIn(msgspec.Struct, forbid_unknown_fields=True):
    """Of which case the champion before becomes champion again, and why."""

    case: str = ""
    reason: Annotated[str, msgspec.Meta(max_length=1_000)] = "rolled back over the API"


_promote = msgspec.json.Decoder(PromoteIn)
_rollback = msgspec.json.Decoder(RollbackIn)


@router.get("/health")
async def health(request: Request) -> Response:
    """Whether the server is alive, and what speaks against using what it serves (503)."""
    answer = await site_of(request).health()
    return answered(answer, 200 if answer.ready else 503)


@router.get("/metrics")
async def metrics(accept: Annotated[str, Header(max_length=1_000)] = "") -> Response:
    """All metrics of this process, for Prometheus."""
    text, content_type = telemetry.rendered(accept)
    return Response(text, headers={"Content-Type": content_type})


@router.get("/v1/model")
async def model(request: Request, case: CaseQuery = "") -> Response:
    """The champion of a case: since when, until when, promised and live scores, facts."""
    return _model(site_of(request), case)


@router.get("/v1/cases/{case}/model")
async def case_model(request: Request, case: CaseName) -> Response:
    """The champion of a case: since when, until when, promised and live scores, facts."""
    return _model(site_of(request), case)


def _model(site: Site, case: str) -> Response:
    board = board_of(site, case)
    facts = site.standings[board.name].facts
    return answered(ModelAnswer(board.name, board.model, facts))


@router.get("/v1/model/card")
async def card(request: Request, case: CaseQuery = "") -> Response:
    """The model card of the champion, as a page."""
    site = site_of(request)
    board = board_of(site, case)
    version = site.standings[board.name].champion
    if version is None:
        cure = f"Train and promote one (`barograph train --case {board.name}`)."
        raise RefusedError(404, f"case {board.name} has no champion.", cure)
    try:
        page = await in_thread(site, registry_of(site.settings).attached, board.name, version, CARD)
    except RegistryError as error:
        cure = f"Train again (`barograph train --case {board.name}`)."
        raise RefusedError(404, f"{board.name}/{version} has no readable card.", cure) from error
    return Response(page, media_type="text/html; charset=utf-8", headers=_CARD_HEADERS)


_CARD_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "sandbox"
}
"""A card has its style and pictures in itself, and nothing else."""


@router.get("/v1/alerts")
async def alerts(
    request: Request,
    since: Annotated[int, Query(ge=0, le=LATEST_NS, description="Unix nanoseconds.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """Alerts of all cases, each as it stands now; those that changed since a time."""
    merged: dict[str, AlertRecord] = {}
    for board in site_of(request).boards.values():
        merged |= board.alerts.newest
    return answered(AlertList(_newest(merged, since, limit)))


@router.get("/v1/cases/{case}/alerts")
async def case_alerts(
    request: Request,
    case: CaseName,
    since: Annotated[int, Query(ge=0, le=LATEST_NS, description="Unix nanoseconds.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """Alerts of a case, and those of no case, each as it stands now."""
    board = board_of(site_of(request), case)
    return answered(AlertList(_newest(board.alerts.newest, since, limit)))


def _newest(known: dict[str, AlertRecord], since_ns: int, limit: int) -> list[AlertRecord]:
    changed = [alert for alert in known.values() if alert.time_ns >= since_ns]
    return sorted(changed, key=lambda alert: (-alert.started_ns, alert.id))[:limit]


@router.get("/v1/deadletters")
async def dead_letters(
    request: Request, case: CaseQuery = "", limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> Response:
    """The last dead letters of a case: why, and where the original stood."""
    site = site_of(request)
    topic = board_of(site, case).letters_topic
    return answered(await in_thread(site, _letters, site, topic, limit))


def _letters(site: Site, topic: str, limit: int) -> LetterPage:
    log = site.log()
    if topic not in {each.name for each in log.topics()}:
        return LetterPage(topic, [])
    return LetterPage(topic, deadletters.newest(log, topic, limit))


@router.post("/v1/models/promote")
async def promote(
    request: Request, authorization: Annotated[str, Header(max_length=1_000)] = ""
) -> Response:
    """Make a version the champion. Needs the bearer token of BAROGRAPH_TOKEN."""
    site = site_of(request)
    _authorize(site.token, authorization)
    wanted = decoded_body(_promote, await request.body())
    case = site.cases[board_of(site, wanted.case).name]
    registry = registry_of(site.settings)
    return await _changed(
        site, registry.promote, case.name, wanted.version, wanted.reason, case.feature_set
    )


@router.post("/v1/models/rollback")
async def rollback(
    request: Request, authorization: Annotated[str, Header(max_length=1_000)] = ""
) -> Response:
    """Make the champion before the champion again. Needs the bearer token of BAROGRAPH_TOKEN."""
    site = site_of(request)
    _authorize(site.token, authorization)
    wanted = decoded_body(_rollback, await request.body())
    case = site.cases[board_of(site, wanted.case).name]
    registry = registry_of(site.settings)
    return await _changed(site, registry.rollback, case.name, wanted.reason, case.feature_set)


def _authorize(token: str, header: str) -> None:
    """Raise RefusedError unless the header has the token; the time it takes tells nothing of it."""
    if not token:
        raise RefusedError(
            403,
            "this server has no token, so it changes nothing.",
            "Start it with BAROGRAPH_TOKEN set, or promote on the command line.",
        )
    scheme, _, given = header.partition(" ")
    same = hmac.compare_digest(_digest(given.strip()), _digest(token))
    if scheme.lower() != "bearer" or not same:
        raise RefusedError(
            401,
            "the token is missing or not this server's.",
            "Send `Authorization: Bearer TOKEN` with the token of BAROGRAPH_TOKEN.",
            {"WWW-Authenticate": "Bearer"},
        )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


async def _changed(site: Site, change: Callable[..., Promotion], *arguments: object) -> Response:
    try:
        entry = await in_thread(site, change, *arguments)
    except BarographError as error:
        raise RefusedError(409, *facts_and_cure(error)) from error
    site.look_soon()
    return answered(entry)
