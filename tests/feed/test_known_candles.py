"""What is new against a log is told from what is there, revised, or another source's."""

from contextlib import closing

import pytest
from msgspec.structs import replace

from barograph.codec import encode
from barograph.feed.candle_hours import candle_of
from barograph.feed.known_candles import KnownCandles
from barograph.log import open_log
from barograph.log.topics import CANDLES, ensure_candle_topics
from barograph.types import Message
from candle_tables import rows

CANDLES_MADE = [candle_of(row, "BTC-USD", "coinbase") for row in rows(6)]


@pytest.fixture
def log(tmp_path):
    with closing(open_log(tmp_path)) as opened:
        ensure_candle_topics(opened)
        yield opened


def known(log, *candles):
    log.append([Message(CANDLES, each.product, encode(each)) for each in candles])
    return KnownCandles(log, "BTC-USD")


def test_all_is_new_to_an_empty_log(log):
    news = known(log).news(CANDLES_MADE)
    assert (news.candles, news.new, news.late) == (CANDLES_MADE, 6, 0)


def test_what_is_there_is_not_written_again_also_with_other_digits(log):
    same = [replace(each, volume=f"{each.volume}0") for each in CANDLES_MADE]
    news = known(log, *CANDLES_MADE).news(same)
    assert news == ([], 0, 0, [], 0, [])


def test_a_revised_hour_is_the_next_version_of_it(log):
    second = replace(CANDLES_MADE[2], volume="1", version=2)
    news = known(log, *CANDLES_MADE, second).news([replace(CANDLES_MADE[2], volume="2")])
    assert news.candles == [replace(CANDLES_MADE[2], volume="2", version=3)]
    (revised,) = news.revised
    assert (revised.version, revised.changed) == (3, "volume 1 → 2")


def test_another_source_changes_nothing(log):
    other = replace(CANDLES_MADE[2], volume="1", source="cryptocompare")
    news = known(log, *CANDLES_MADE).news([other])
    assert (news.candles, news.kept) == ([], 1)


def test_an_hour_behind_the_newest_is_late(log):
    news = known(log, CANDLES_MADE[5]).news(CANDLES_MADE[:2])
    assert (news.new, news.late) == (2, 2)


def test_other_products_and_unreadable_records_are_passed_over(log):
    log.append([Message(CANDLES, "BTC-USD", b"{"), Message(CANDLES, "ETH-USD", b"{}")])
    other = replace(CANDLES_MADE[0], product="ETH-USD")
    assert known(log, other).by_hour == {}


def test_hours_of_our_own_ticks_are_asked_for_and_compared_and_neither_overwrites(log):
    own = [replace(each, source="ticks") for each in CANDLES_MADE[1:4]]
    own[1] = replace(own[1], close=own[1].low, volume="0.5")
    here = known(log, CANDLES_MADE[0], *own)
    assert list(here.by_hour) == [CANDLES_MADE[0].start_s]
    news = here.news(CANDLES_MADE)
    assert (news.candles, news.new, news.kept) == (CANDLES_MADE[1:], 5, 0)
    assert [each.start_s for each in news.checks] == [each.start_s for each in own]
    assert [[d.field for d in each.differences] for each in news.checks] == [
        [],
        ["close", "volume"],
        [],
    ]
    here.take(news.candles)
    revised = replace(CANDLES_MADE[2], volume="7")
    again = here.news([revised])
    assert (again.candles, len(again.revised)) == ([replace(revised, version=2)], 1)
    assert [each.version for each in again.checks] == [2]
