"""The environment's names for what nobody else may read."""

from barograph.feed import credentials
from barograph.registry import tracking_server
from barograph.venues import cryptocompare

ALERT_URLS, WEBHOOK_URLS = "BAROGRAPH_ALERT_URLS", "BAROGRAPH_WEBHOOK_URLS"
"""Apprise addresses and webhooks, separated by white space; an address may hold a secret."""

WEBHOOK_SECRET = "BAROGRAPH_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
TOKEN = "BAROGRAPH_TOKEN"  # noqa: S105 - as above

SECRETS = frozenset(
    {
        ALERT_URLS,
        WEBHOOK_URLS,
        WEBHOOK_SECRET,
        TOKEN,
        credentials.KEY,
        credentials.SECRET,
        cryptocompare.KEY,
        tracking_server.URI,
        tracking_server.PASSWORD,
        tracking_server.TOKEN,
    }
)
"""All of them: no other program is given these."""
