"""A webhook: each note as signed JSON, by POST.

A receiver verifies a request with the secret that it shares: docs/alerts.md has the code.
"""

import asyncio
import hashlib
import hmac
import math
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from barograph.app.alerting.notes import Note
from barograph.app.alerting.sink import SinkError
from barograph.errors import BadInputError
from barograph.rest import AnswerError, Rest
from barograph.types import NS_PER_S
from barograph.wire import Loop, reason_of

SIGNATURE, TIMESTAMP = "X-Barograph-Signature", "X-Barograph-Timestamp"
IDEMPOTENCY_KEY = "Idempotency-Key"

TIMEOUT_S = 10.0
"""Seconds for one attempt, from the connection to the end of the answer."""

MAX_REPLY_BYTES = 64 << 10

_FINAL = {400, 413, 422}
"""Statuses that speak of this body: it would be refused again."""

_LOCAL = {"localhost", "127.0.0.1", "::1"}


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """`sha256=` and the HMAC-SHA256 in hexadecimal of the timestamp, a full stop, and the body."""
    digest = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


class Webhook:
    """Posts notes to an http or https address; signed where there is a secret.

    Raises BadInputError for another address. A status of 2xx means that the note is delivered.
    """

    latest_s = math.inf

    def __init__(
        self,
        url: str,
        secret: bytes = b"",
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        try:
            parts = urlsplit(url)
            sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound or not url.isprintable() or " " in url:
            # Not the address itself: it may hold a secret.
            raise BadInputError(
                "a webhook's address", "it is no http or https address", "Give http[s]://HOST/PATH"
            )
        self._url, self._secret = parts._replace(fragment="").geturl(), secret
        self._clock_ns, self._timeout_s = clock_ns, timeout_s
        self._rest = Rest(proxies=parts.hostname not in _LOCAL)
        self.name = f"webhook-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
        signed = "signed" if secret else "not signed: set BAROGRAPH_WEBHOOK_SECRET"
        self.label = f"webhook {parts.scheme}://{parts.hostname} ({signed})"

    def send(self, note: Note) -> None:
        """Post a note. Raises SinkError: final for a status that speaks of the body."""
        body = note.json()
        timestamp = str(self._clock_ns() // NS_PER_S)
        headers = [
            ("Content-Type", "application/json"),
            (IDEMPOTENCY_KEY, note.key),
            (TIMESTAMP, timestamp),
        ]
        if self._secret:
            headers.append((SIGNATURE, signature(self._secret, timestamp, body)))

        async def post() -> None:
            async with asyncio.timeout(self._timeout_s):
                await self._rest.post(self._url, body, headers, MAX_REPLY_BYTES)

        try:
            with asyncio.Runner(loop_factory=Loop) as runner:
                runner.run(post())
        except TimeoutError:
            raise SinkError(f"no answer within {self._timeout_s:g} s") from None
        except AnswerError as error:
            raise SinkError(str(error), final=error.status in _FINAL) from None
        except OSError as error:
            raise SinkError(reason_of(error)) from None
