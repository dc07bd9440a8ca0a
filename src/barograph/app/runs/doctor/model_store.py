"""What an examination finds of the registry: which one is used, and whether a server answers."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from barograph.app.runs.doctor.examination import Finding, ok, refused, warning
from barograph.errors import BarographError
from barograph.foreign import one_line
from barograph.registry.server import ServerStore
from barograph.registry.tracking_server import HOME, URI, TrackingServer, tracking_server


def registry(home: Path, setting: str) -> Iterator[Finding]:
    """Where models are kept by the setting `registry` and MLflow's variable. Nothing is changed."""
    try:
        server = tracking_server(setting)
    except BarographError as error:
        yield refused("registry", error)
        return
    if server is None:
        unused = "" if setting == HOME else one_line(os.environ.get(URI, ""))
        note = f"; {URI} is no http address, and is not used" if unused else ""
        yield ok("registry", f"under the home, in MLflow's database{note}")
        return
    began_s = time.monotonic()
    try:
        ServerStore(home, server).check_room()
    except BarographError as error:
        yield refused("registry", error)
        return
    taken_ms = (time.monotonic() - began_s) * 1000
    text = f"MLflow at {server.address} answers{_as_whom(server)} in {taken_ms:,.0f} ms"
    if server.is_plain:
        cure = f"Put TLS before it, and name an https address in {server.named}"
        yield warning("registry", f"{text}; credentials go there in clear", cure)
    else:
        yield ok("registry", text)


def _as_whom(server: TrackingServer) -> str:
    if server.username:
        return f" to {one_line(server.username)}"
    return " to a token" if server.token else ""
