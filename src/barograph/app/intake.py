"""Feeds configured from the settings.

Kept free of compiled kernels, so that a verb that only feeds starts quickly.
"""

from collections.abc import Callable, Iterable

from barograph.app.settings import Settings
from barograph.feed.feed import Feed
from barograph.feed.recover import unknown_files_line
from barograph.log import Log
from barograph.venues.books import UNIFIED
from barograph.venues.entries import Rules


def rules_of(
    settings: Settings, products: Iterable[str] = (), books: dict[str, str] | str = UNIFIED
) -> Rules:
    """Rules of a venue machine: accept these products, or all if none are named.

    books: which names are one book, as `books.book_of` takes it.
    """
    return Rules(
        products=frozenset(products) or None,
        silence_timeout_s=settings.silence_timeout_s,
        books=books,
    )


def feed_of(
    settings: Settings,
    log: Log,
    products: Iterable[str] = (),
    warn: Callable[[str], None] = lambda _message: None,
    books: dict[str, str] | str = UNIFIED,
) -> Feed:
    """A feed of `products` (all if empty) into home's archive and `log`. Raises as `Feed` does.

    books: which names are one book. warn: called with one line for each problem of archive or log.
    """
    feed = Feed(
        log,
        settings.home / "archive",
        rules_of(settings, products, books),
        partitions=settings.partitions,
        warn=warn,
    )
    feed.batch_lines = settings.batch_records
    if feed.unknown:
        warn(unknown_files_line(feed, log, settings.home / "archive"))
    return feed
