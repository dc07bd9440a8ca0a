"""What the settings say of a feed holds, whatever it is fed with."""

from contextlib import closing

import pytest

from archive_contents import archive_end
from barograph.app.intake import feed_of, rules_of
from barograph.app.settings import Settings
from barograph.feed.ingest import ingest
from barograph.log import open_log
from barograph.log.topics import TICKS
from barograph.types import Fault, GapCause
from barograph.venues.books import UNIFIED
from barograph.venues.entries import Rules
from coinbase_messages import faults, gaps, ticker
from homes import heard
from log_contents import events, letters


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path, partitions=5, silence_timeout_s=2.5, batch_records=7)


@pytest.fixture
def log(settings):
    with closing(open_log(settings.home)) as log:
        yield log


def test_a_feed_writes_as_the_settings_say(settings, log):
    with closing(feed_of(settings, log)) as feed:
        ingest(feed, [heard(ticker(0))])
        assert feed.batch_lines == 7
    assert len(log.extents(TICKS)) == 5
    assert archive_end(settings.home / "archive").size > 0


def test_a_line_is_silent_when_the_settings_say_so(settings, log):
    with closing(feed_of(settings, log)) as feed:
        # All trades are there, with two and with three seconds between them.
        first = ticker(0)["trade_id"]
        times = (ticker(second, trade_id=first + n) for n, second in enumerate((0, 2, 5)))
        ingest(feed, map(heard, times))
    assert [each.cause for each in gaps(events(log)["BTC-USD"])] == [GapCause.SILENCE]


def test_only_the_products_that_are_named_are_taken(settings, log):
    with closing(feed_of(settings, log, ["ETH-USD"])) as feed:
        ingest(feed, [heard(ticker(0)), heard(ticker(0, product_id="ETH-USD"))])
    assert list(events(log)) == ["ETH-USD"]
    assert faults(letters(log)) == [Fault.UNKNOWN_PRODUCT]


def test_where_no_product_is_named_all_are_taken(settings):
    assert rules_of(settings) == Rules(products=None, silence_timeout_s=2.5, books=UNIFIED)
