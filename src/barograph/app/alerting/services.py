"""Services that Apprise reaches: Telegram, Discord, Slack, e-mail, ntfy and a hundred more."""

import hashlib
import math
import re
from typing import Any

from barograph.app.alerting.notes import Note
from barograph.app.alerting.sink import SinkError
from barograph.errors import BadInputError
from barograph.wire import shown

TIMEOUT_S = 30.0
"""Seconds for one note."""

_SECRET_CHARACTERS = 6
"""A part of an address from this length on may be a secret and is not repeated."""


class Service:
    """One service by its Apprise address, e.g. `tgram://TOKEN/CHAT`.

    Raises BadInputError for an address that Apprise does not know.
    """

    latest_s = math.inf

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        import apprise  # noqa: PLC0415 - it loads a hundred services

        scheme = url.partition("://")[0]
        named = scheme if re.fullmatch(r"[a-z0-9+.-]{1,30}", scheme) else "an address"
        asset = apprise.AppriseAsset(async_mode=False, storage_mode="memory")
        self._service: Any = apprise.Apprise(asset=asset)
        if not self._service.add(url):
            raise BadInputError(
                f"BAROGRAPH_ALERT_URLS: {named}://…",
                "Apprise does not take this address",
                "Write it as https://appriseit.com/services/ says",
            )
        self._kinds = {"alert": apprise.NotifyType.WARNING, "": apprise.NotifyType.INFO}
        self._timeout_s = timeout_s
        self._secrets = {
            part for part in re.split(r"[/:@?&=,]", url) if len(part) >= _SECRET_CHARACTERS
        }
        digest = hashlib.sha256(url.encode()).hexdigest()[:12]
        self.name = f"{re.sub('[^a-z0-9]', '-', named)}-{digest}"
        self.label = f"{named} by Apprise"

    def send(self, note: Note) -> None:
        """Deliver a note. Raises SinkError."""
        body = f"{note.text}\n{note.link}".rstrip()
        result = self._service.notify(
            body=body,
            title=note.title,
            notify_type=self._kinds["alert" if note.began else ""],
            timeout=self._timeout_s,
        )
        if not result:
            raise SinkError(self._why(result))

    def _why(self, result: Any) -> str:  # noqa: ANN401 - of a library without types
        """Why it failed, without any part of the address that may be a secret."""
        entries = [entry.message for each in result.results for entry in each.logs()]
        text = "; ".join(entries[:2]) or str(result.status.name).lower()
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "…")
        return shown(text)
