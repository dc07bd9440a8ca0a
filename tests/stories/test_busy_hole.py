"""A hole behind which twenty thousand events wait, on both logs: commits stay small and equal."""

import uuid
from contextlib import closing

import pytest

from barograph.feed.feed import PRODUCER, Feed
from barograph.log import MAX_VALUE_BYTES, open_log
from barograph.venues.entries import Dialect, Opening, Settlement
from barograph.venues.holes import MAX_QUEUE
from coinbase_messages import START, S, ticker
from homes import heard
from log_contents import events, heard_again

pytestmark = pytest.mark.operations


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.slow)])
def address(request, tmp_path):
    if request.param == "sqlite":
        return str(tmp_path)
    return f"kafka://{request.getfixturevalue('kafka')}/test-{uuid.uuid4().hex}"


def entries():
    yield Opening(connection="a", dialect=Dialect.EXCHANGE, fill=True)
    yield heard(ticker(0), "a", START)
    for n in range(3, MAX_QUEUE):
        yield heard(ticker(n), "a", START + n * S)
    yield Settlement(connection="a", product="BTC-USD", receive_time_ns=START + MAX_QUEUE * S)


@pytest.mark.slow
def test_twenty_thousand_events_wait_and_pass(address, tmp_path):
    sizes = []
    with closing(open_log(address)) as log:
        feed = Feed(log, tmp_path / "archive")
        for number, entry in enumerate(entries(), 1):
            feed.take(entry)
            if not number % 500:
                feed.commit()
            if number in {5_000, 19_900}:
                feed.close()
                kept = log.producer_checkpoints(PRODUCER, take=False)
                sizes += map(len, kept.values())
                feed = Feed(log, tmp_path / "archive")
                assert feed.holes()
        feed.commit()
        feed.close()
        assert max(sizes) <= MAX_VALUE_BYTES
        assert len(events(log)["BTC-USD"]) == 1 + 1 + MAX_QUEUE - 3, (
            "of two that are missing a gap tells"
        )
        assert events(log) == heard_again(tmp_path / "archive")
