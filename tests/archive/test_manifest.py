import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.archive.manifest import ArchiveManifest, ProductCounts
from barograph.types import (
    DeadLetter,
    Fault,
    Frame,
    Gap,
    GapCause,
    Heartbeat,
    Side,
    Tick,
    Trade,
)
from barograph.venues.entries import Answer, Closing, Dialect, Heard, Opening, Settlement


def frame(connection="c", receive_time_ns=None):
    return Frame(data=b"{}", connection=connection, receive_time_ns=receive_time_ns)


def letter(key="", fault=Fault.NOT_JSON):
    return DeadLetter(fault=fault, detail="", source="c", position="1", key=key, original=b"")


def test_lines_are_counted_by_what_they_are_and_whose():
    manifest = ArchiveManifest()
    for entry in (
        Opening(connection="c", dialect=Dialect.EXCHANGE),
        Heard(frame(receive_time_ns=7), Dialect.EXCHANGE),
        Heard(frame("d"), Dialect.ADVANCED),
        Answer("BTC-USD", frame(receive_time_ns=5)),
        Settlement("c", "BTC-USD", 9),
        Closing("c"),
        letter(),
    ):
        manifest.add(entry)
    assert (manifest.lines, manifest.frames, manifest.answers, manifest.unreadable) == (6, 2, 1, 1)
    assert manifest.connections == {"c": 5, "d": 1}
    assert (manifest.first_receive_time_ns, manifest.last_receive_time_ns) == (5, 9)


def test_what_they_came_to_is_counted_by_product():
    manifest = ArchiveManifest()
    tick = Tick(product="B", event_time_ns=5, price="1", bid="1", ask="1")
    trade = Trade(product="B", event_time_ns=9, price="1", size="1", side=Side.BUY, trade_id=1)
    gap = Gap(product="B", start_ns=1, end_ns=99, cause=GapCause.SILENCE)
    beat = Heartbeat(product="E", event_time_ns=3)
    manifest.note([tick, trade, gap], [])
    manifest.note([beat, gap], [letter("B"), letter("E"), letter("B", Fault.FUTURE)])
    assert manifest.products == {
        "B": ProductCounts(
            ticks=1,
            trades=1,
            first_event_time_ns=5,
            last_event_time_ns=9,
            gaps={"silence": 2},
            dead_letters={"not_json": 1, "future": 1},
        ),
        "E": ProductCounts(
            heartbeats=1, first_event_time_ns=3, last_event_time_ns=3, dead_letters={"not_json": 1}
        ),
    }


@pytest.mark.parametrize("key", ["", "NO-SUCH"])
def test_what_a_broken_frame_calls_a_product_makes_none(key):
    manifest = ArchiveManifest()
    manifest.note([], [letter(key), letter(key)])
    assert (manifest.products, manifest.dead_letters) == ({}, {"not_json": 2})


@given(st.lists(st.one_of(st.none(), st.integers(0, 99)), min_size=1))
def test_frames_and_ticks_count_the_same_one_by_one_and_together(times):
    alone, together = ArchiveManifest(), ArchiveManifest()
    frames = [frame(receive_time_ns=time_ns) for time_ns in times]
    for each in frames:
        alone.add(Heard(each, Dialect.EXCHANGE))
    together.add_frames(frames)
    known = [time_ns for time_ns in times if time_ns is not None]
    for time_ns in known:
        alone.note([Tick(product="B", event_time_ns=time_ns, price="1", bid="1", ask="1")])
    together.note_ticks({"B": known} if known else {})
    assert together == alone
