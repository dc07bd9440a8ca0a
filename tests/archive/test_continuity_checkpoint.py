"""The machines' state in the log: bounded, and told again from the archive."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.archive import continuity_checkpoint
from barograph.archive.continuity_checkpoint import SMALL_EVENTS
from barograph.feed.feed import PRODUCER
from barograph.times import format_time
from barograph.types import Frame, Gap
from barograph.venues.entries import Answer, Closing, Dialect, Opening, Settlement
from coinbase_messages import START, TICKER, S, ticker
from homes import Home, heard, recorded
from log_contents import events, heard_again
from recorded_sessions import session

HELD = 3 * SMALL_EVENTS


def stream():
    """A hole behind which many events wait, and what came of it."""
    trade = {
        "price": "103472.30", "size": "0.5", "side": "sell",
        "trade_id": TICKER["trade_id"] + 2, "time": format_time(START + 2 * S),
    }  # fmt: skip
    body = json.dumps([trade]).encode()
    return [
        Opening(connection="a", dialect=Dialect.EXCHANGE, fill=True),
        heard(ticker(0), "a", START),
        *(heard(ticker(3 + n), "a", START + (3 + n) * S) for n in range(HELD)),
        Answer("BTC-USD", Frame(data=body, connection="a", receive_time_ns=START)),
        Settlement(connection="a", product="BTC-USD", receive_time_ns=START + 500 * S),
        heard(ticker(3 + HELD), "a", START + (3 + HELD) * S),
        Closing("a"),
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("whole"))
    home.ingest(stream())
    yield events(home.log)
    home.log.close()


@pytest.mark.slow
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(0, HELD + 6), max_size=4), seldom=st.integers(1, 150))
def test_wherever_a_feed_ends_in_a_busy_hole_the_next_goes_on_with_it(
    whole, tmp_path_factory, monkeypatch, cuts, seldom
):
    monkeypatch.setattr(continuity_checkpoint, "_SELDOM_ENTRIES", seldom)
    home, entries, done = Home(tmp_path_factory.mktemp("cut")), stream(), 0
    for cut in [*sorted(cuts), len(entries)]:
        feed = home.feed()
        for number, entry in enumerate(entries[done:cut]):
            feed.take(entry)
            if not number % 7:
                feed.commit()
        feed.close()  # archives, and does not commit the last ones
        done = max(done, cut)
    home.feed().close()
    assert events(home.log) == whole == heard_again(home.archive)
    home.log.close()


def in_a_hole(home):
    """A feed whose last commit stands in a hole with many events; its state was written before."""
    feed = home.feed()
    for entry in stream()[: HELD + 1]:
        feed.take(entry)
        feed.commit()
    return feed


def test_a_commit_in_a_busy_hole_carries_no_state(tmp_path):
    home = Home(tmp_path)
    feed = in_a_hole(home)
    at = home.log.producer_checkpoints(PRODUCER, take=False)
    place = json.loads(at["continuity_at"])["place"]
    standing = json.loads(at[next(key for key in at if key.startswith("archive:"))])
    assert place["size"] < standing["size"]
    assert len(at["continuity"]) < 2000 * SMALL_EVENTS
    feed.close()
    home.log.close()


def test_where_the_frames_between_are_gone_every_product_has_a_gap(tmp_path):
    home = Home(tmp_path)
    in_a_hole(home).close()
    (home.archive / "000001.ndjson.gz").unlink()
    home.ingest([heard(ticker(3 + HELD), "b")])
    assert any("has a gap" in line for line in home.warnings)
    assert isinstance(events(home.log)["BTC-USD"][-2], Gap)
    home.log.close()


def test_a_line_of_an_older_version_was_heard_when_the_archives_files_were(tmp_path):
    """Its state has neither `since_ns` nor spans: what is older would be late for ever."""
    home = Home(tmp_path / "home")
    for name, start_s in (("first", 7200), ("second", 14_400)):
        home.replay(recorded(tmp_path, *session(start_s, 30), name=name))
    saved = home.log.producer_checkpoints(PRODUCER)
    state = json.loads(saved["continuity"])
    for line in state["lines"].values():
        del line["since_ns"], line["spans"]
    older = {"continuity": json.dumps(state).encode()}
    home.log.append((), producer=PRODUCER, checkpoints=older)
    for name, start_s in (("third", 0), ("fourth", 10_800)):
        fed = home.replay(recorded(tmp_path, *session(start_s, 30), name=name))
        assert (fed.dead_letters, sum(fed.gaps.values())) == ({}, 1)
    again = home.replay(recorded(tmp_path, *session(7201, 20, seed=2), name="again"))
    assert again.dead_letters.keys() == {"late"}
    home.log.close()
