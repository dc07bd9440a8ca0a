"""The environment's names for what nobody else may read."""

from barograph.feed import credentials
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
    }
)
"""All of them: no other program is given these."""
