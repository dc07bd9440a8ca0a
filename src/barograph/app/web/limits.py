"""What the server lets in: names it goes by, origins, and how much of each client.

Pure: times come in as arguments.
"""

from collections import OrderedDict
from collections.abc import Iterable
from urllib.parse import urlsplit

DEFAULT_PORT = 8_000
"""Where the server listens unless another port is named."""

MAX_BODY_BYTES = 1 << 20
"""A larger body of a request is refused."""

BODY_S = 10.0
"""A body must be whole after so long."""

HEADERS_S = 10.0
"""The head of a request must be whole after so long."""

MAX_HEAD_BYTES = 65_536
"""A larger head of a request ends the connection. A cursor of a stream fits in it."""

MAX_CONNECTIONS = 1_024
"""Connections that are open at a time."""

MAX_AT_WORK = 128
"""Requests that are answered at a time, without streams."""

MAX_READERS = 768
"""Stream readers at a time."""

TOKENS_PER_S = 6_000.0
"""What one client may ask for in a second, in units of a small request; twice that at once."""

MAX_CLIENTS = 1_000
"""Clients that are told apart; the one that was quiet longest is forgotten."""

COSTS = (
    ("/v1/models/", 600.0),
    ("/v1/model", 50.0),
    ("/v1/deadletters", 100.0),
    ("/v1/series", 20.0),
    ("/health", 10.0),
    ("/v1/stream", 5.0),
)
"""What a request costs by the beginning of its path; all others cost 1."""


def cost_of(path: str) -> float:
    """What a request for a path costs."""
    if path.startswith("/v1/cases/"):
        path = f"/v1/{path.split('/', 4)[-1]}"
    return next((cost for start, cost in COSTS if path.startswith(start)), 1.0)


class Budgets:
    """A bucket of tokens for each client, filled with time."""

    def __init__(self, per_s: float = TOKENS_PER_S) -> None:
        self._per_s = per_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, client: str, cost: float, now_s: float) -> float:
        """Take `cost` from a client's bucket; returns 0, or the seconds to wait where it lacks."""
        most = 2 * self._per_s
        left, seen_s = self._left.pop(client, (most, now_s))
        left = min(most, left + (now_s - seen_s) * self._per_s)
        wait_s = max(0.0, (cost - left) / self._per_s)
        self._left[client] = (left if wait_s else left - cost, now_s)
        if len(self._left) > MAX_CLIENTS:
            self._left.popitem(last=False)
        return wait_s


class Names:
    """The host names by which the server may be called, and the origins that may call it.

    A page of another site that makes its own name point here (DNS rebinding) sends that name.
    """

    def __init__(self, host: str, more: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self._hosts = {"localhost", "127.0.0.1", "::1", host.lower(), *map(str.lower, more)}
        self._origins = {origin.rstrip("/").lower() for origin in origins}

    def allow_host(self, header: str) -> bool:
        """Whether a `Host` header names this server."""
        try:
            parts = urlsplit(f"//{header}")
            name, _port = parts.hostname, parts.port
        except ValueError:
            return False
        plain = not (parts.username or parts.path or parts.query or parts.fragment)
        return plain and name is not None and name in self._hosts

    def allow_origin(self, header: str) -> bool:
        """Whether an `Origin` header is of a page of this server, or of an allowed one."""
        if header.rstrip("/").lower() in self._origins:
            return True
        scheme, _, host = header.partition("://")
        return scheme in {"http", "https"} and self.allow_host(host)
