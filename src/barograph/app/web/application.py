"""The application: routes, refusals, and the page's files."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from barograph import __version__
from barograph.app.web import forecasting, managing, reading, scoring, streaming
from barograph.app.web.guard import Guard
from barograph.app.web.limits import Names
from barograph.app.web.openapi import described, examples_of
from barograph.app.web.refused import RefusedError, refusal, refused
from barograph.app.web.site import Site
from barograph.errors import BarographError

STATIC = Path(__file__).parent / "static"


def application(site: Site, host: str) -> ASGIApp:
    """The ASGI application of a site, behind its guard.

    host: the address it listens on.
    """
    settings = site.settings
    origins = _listed(settings.web_origins)
    app: ASGIApp = routes(site)
    if origins:
        app = CORSMiddleware(
            app, origins, allow_methods=["GET", "POST"], allow_headers=["authorization"]
        )
    return Guard(app, Names(host, _listed(settings.web_hosts), origins), site.access.add)


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def routes(site: Site) -> FastAPI:
    """All routes of a site."""
    app = FastAPI(
        title="Barograph",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.site = site
    default = site.cases[site.default]
    columns = () if default.live is None else default.live.columns
    examples = examples_of(columns, "BTC-USD")
    forecast_case = next((c.name for c in site.cases.values() if c.level is not None), "hourly")

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = described(app, examples, {"case": forecast_case})
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]
    app.include_router(reading.router)
    app.include_router(forecasting.router)
    app.include_router(scoring.router)
    app.include_router(managing.router)
    app.include_router(streaming.router)
    for kind in (RefusedError, BarographError):
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(500, _failed)
    app.add_exception_handler(HTTPException, _not_there)
    if (STATIC / "index.html").is_file():
        _with_page(app)
    return app


def _with_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        """The live page."""
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    app.mount("/static", _Files(directory=STATIC), name="static")


class _Files(StaticFiles):
    """Files that a browser asks for again each time: only what changed is sent."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See starlette."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def _invalid(_request: Request, error: Exception) -> Response:
    """Refuse a parameter that is not what the API takes."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return refusal(422, f"{where}: {first['msg']}.", "See /openapi.json for what is taken.")


async def _failed(request: Request, error: Exception) -> Response:
    """Say that the server failed, and to its operator at what."""
    site: Site = request.app.state.site
    site.warn(f"the API failed at {request.method} {request.url.path[:200]}: {error!r}")
    return refusal(500, "the server failed at this.", "Look at its standard error.")


async def _not_there(_request: Request, error: Exception) -> Response:
    """Refuse a path or method that nothing answers."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    cure = "See /openapi.json for the routes."
    return refusal(error.status_code, f"{error.detail}.", cure, headers)
