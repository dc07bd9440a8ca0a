"""The application: routes, refusals, and the page's files."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from barograph import __version__
from barograph.app.web import reading, streaming
from barograph.app.web.refused import RefusedError, refusal, refused
from barograph.app.web.site import Site
from barograph.errors import BarographError

STATIC = Path(__file__).parent / "static"


def application(site: Site) -> FastAPI:
    """The ASGI application of a site, whose life it begins and ends."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        site.begin()
        try:
            yield
        finally:
            site.end()

    app = FastAPI(
        title="Barograph",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=life,
        redirect_slashes=False,
    )
    app.state.site = site
    app.include_router(reading.router)
    app.include_router(streaming.router)
    for kind in (RefusedError, BarographError):
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _not_there)
    if (STATIC / "index.html").is_file():
        _with_page(app)
    return app


def _with_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        """The live page."""
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    app.mount("/static", StaticFiles(directory=STATIC), name="static")


async def _invalid(_request: Request, error: Exception) -> Response:
    """Refuse a parameter that is not what the API takes."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return refusal(422, f"{where}: {first['msg']}.", "See /openapi.json for what is taken.")


async def _not_there(_request: Request, error: Exception) -> Response:
    """Refuse a path or method that nothing answers."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    cure = "See /openapi.json for the routes."
    return refusal(error.status_code, f"{error.detail}.", cure, headers)
