"""The feed as the settings want it, whatever brings its entries.

A door's business, and light: who only feeds waits for no kernels.
"""

from collections.abc import Callable, Iterable

from barograph.app.settings import Settings
from barograph.feed.feed import Feed
from barograph.feed.recover import unknown_files_line
from barograph.log import Log
from barograph.venues.entries import Rules


def rules_of(settings: Settings, products: Iterable[str] = ()) -> Rules:
    """What a venue machine may take: of these products, of all where none is named."""
    return Rules(products=frozenset(products) or None, silence_timeout_s=settings.silence_timeout_s)


def feed_of(
    settings: Settings,
    log: Log,
    products: Iterable[str] = (),
    warn: Callable[[str], None] = lambda _message: None,
) -> Feed:
    """A feed of these products into home's archive and a log. Raises as `Feed` does.

    warn: gets what a person should know of archive and log, a line each.
    """
    feed = Feed(
        log,
        settings.home / "archive",
        rules_of(settings, products),
        partitions=settings.partitions,
        warn=warn,
    )
    feed.batch_lines = settings.batch_records
    if feed.unknown:
        warn(unknown_files_line(feed, log, settings.home / "archive"))
    return feed
