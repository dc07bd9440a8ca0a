"""The tail: boards are filled from what the log keeps, then get what comes, once and in order."""

import asyncio
from contextlib import contextmanager

import waiting
from barograph.app.web import fill, series_board
from barograph.app.web import tail as module
from barograph.app.web.series_board import SeriesBoard
from barograph.app.web.tail import Tail, by_board
from barograph.cases.spikes import SPIKES
from barograph.codec import encode
from barograph.errors import LogUnavailableError
from barograph.log import open_log
from barograph.log.topics import DEAD_LETTERS, TICKS
from barograph.types import DAY_S, DeadLetter, Fault, Message
from web_site import (
    NS,
    SECOND,
    append_beats,
    append_gap,
    append_predictions,
    market_log,
    predictions_of,
)

LIMIT_S = 120.0


@contextmanager
def following(address, delivered, warnings):
    """A tail whose records go to `delivered`; use it inside a running loop."""
    board, filled, whole = SeriesBoard(SPIKES), asyncio.Event(), asyncio.Event()
    tail = Tail(
        address, [board], asyncio.get_running_loop(), filled=filled.set, completed=whole.set,
        deliver=delivered.extend, warn=warnings.append,
    )  # fmt: skip
    tail.whole = whole
    tail.start()
    try:
        yield board, filled, tail
    finally:
        tail.stop()


async def until(condition):
    await asyncio.to_thread(waiting.until, condition)


def run(tmp_path, meanwhile):
    async def story():
        delivered, warnings = [], []
        with following(tmp_path, delivered, warnings) as (board, filled, tail):
            await meanwhile(board, filled, delivered, warnings, tail)

    asyncio.run(story())


def test_a_board_is_filled_first_and_then_told_what_comes(tmp_path):
    with market_log(tmp_path) as log:
        append_predictions(log, predictions_of())
        append_gap(log)

        async def meanwhile(board, filled, delivered, _warnings, tail):
            await asyncio.wait_for(filled.wait(), LIMIT_S)
            assert len(board.rows["BTC-USD"]) == 200
            assert len(board.gaps) == 1
            assert delivered == []
            append_predictions(log, predictions_of(seconds=range(SECOND + 200, SECOND + 300)))
            await until(lambda: len(delivered) == 100)
            offsets = [record.offset for record in delivered]
            assert offsets == sorted(set(offsets))
            assert tail.problem == ""

        run(tmp_path, meanwhile)


def test_a_gap_keeps_its_cause_however_many_records_came_since(tmp_path, monkeypatch):
    """It is found behind the newest records of the source, once, and not beyond a day."""
    monkeypatch.setattr(series_board, "NEWEST_HEARD", 9)
    monkeypatch.setattr(fill, "_PAGE", 7)
    last = SECOND + 100
    with market_log(tmp_path) as log:
        for start in (last - DAY_S - 60, last - DAY_S + 60, SECOND):
            append_gap(log, start=start, end=start + 5, missing=start)
            append_beats(log, range(start + 6, start + 40))
        append_gap(log, start=last, end=last + 1)

        async def meanwhile(board, filled, _delivered, _warnings, tail):
            await asyncio.wait_for(filled.wait(), LIMIT_S)
            await asyncio.wait_for(tail.whole.wait(), LIMIT_S)
            starts = [gap.span.start_ns // NS for gap in board.gaps]
            assert starts == [last - DAY_S + 60, SECOND, last]
            assert {gap.cause for gap in board.rows["BTC-USD"].gaps} == {"trade_id"}
            assert len(board.rows["BTC-USD"].gaps) == 3

        run(tmp_path, meanwhile)


def test_what_lies_before_the_last_hour_comes_later_and_once(tmp_path, monkeypatch):
    """So the newest prediction of a key is known that has had none for hours."""
    monkeypatch.setattr(series_board, "SHOWN_STEPS", 500)
    last, hours = SECOND + 2_500, range(SECOND, SECOND + 2_500)
    with market_log(tmp_path) as log:
        append_predictions(log, predictions_of("SOL-USD", range(SECOND - 10, SECOND)))
        append_predictions(log, predictions_of("BTC-USD", hours))

        async def meanwhile(board, filled, delivered, _warnings, tail):
            await asyncio.wait_for(filled.wait(), LIMIT_S)
            assert board.latest("BTC-USD").time_ns == last * NS
            append_predictions(log, predictions_of("BTC-USD", range(last, last + 5)))
            await asyncio.wait_for(tail.whole.wait(), LIMIT_S)
            assert board.latest("SOL-USD").time_ns == SECOND * NS
            assert board.rows["BTC-USD"].seconds.tolist() == list(hours)
            await until(lambda: len(delivered) == 5)

        run(tmp_path, meanwhile)


def test_a_start_reads_no_more_than_the_last_hour_before_it_is_filled(tmp_path, monkeypatch):
    monkeypatch.setattr(series_board, "SHOWN_STEPS", 500)
    with market_log(tmp_path) as log:
        append_predictions(log, predictions_of("BTC-USD", range(SECOND, SECOND + 3_000)))

        async def meanwhile(board, filled, _delivered, _warnings, _tail):
            await asyncio.wait_for(filled.wait(), LIMIT_S)
            assert 500 <= len(board.rows["BTC-USD"]) <= 1_500

        monkeypatch.setattr(Tail, "_take_older", lambda _tail: None)
        run(tmp_path, meanwhile)


def test_a_fill_that_a_broken_log_interrupts_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_AGAIN_S", 0.01)
    monkeypatch.setattr(module, "_AT_ONCE", 10)
    upwards, pages = module.browse.upwards, []

    def breaking(log, topic, extent):
        for record in upwards(log, topic, extent):
            if topic == DEAD_LETTERS:
                pages.append(record.offset)
                if len(pages) == 25:
                    raise LogUnavailableError("log.sqlite", "a test")
            yield record

    monkeypatch.setattr(module.browse, "upwards", breaking)
    with market_log(tmp_path) as log:
        letter = DeadLetter(
            fault=Fault.LATE, detail="", source=TICKS, position="0", key="0", original=b"?"
        )
        log.append([Message(DEAD_LETTERS, letter.key, encode(letter)) for _ in range(40)])

        async def meanwhile(board, filled, _delivered, _warnings, _tail):
            await asyncio.wait_for(filled.wait(), LIMIT_S)
            assert board.status(0).feed.dead_letters == {"late": 40}

        run(tmp_path, meanwhile)
    assert len(pages) > 40


def test_a_topic_that_is_made_later_is_followed_from_its_beginning(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_NEW_TOPICS_S", 0.05)
    open_log(tmp_path).close()

    async def meanwhile(_board, filled, delivered, _warnings, _tail):
        await asyncio.wait_for(filled.wait(), LIMIT_S)
        with market_log(tmp_path) as log:
            append_predictions(log, predictions_of(seconds=[SECOND]))
        await until(lambda: delivered)

    run(tmp_path, meanwhile)


def test_a_log_that_cannot_be_opened_is_a_problem_and_a_warning_once(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_AGAIN_S", 0.01)
    (tmp_path / "log.sqlite").write_bytes(b"no database" * 100)

    async def meanwhile(_board, filled, _delivered, warnings, tail):
        await until(lambda: tail.problem)
        assert not filled.is_set()
        assert tail.alive
        (tmp_path / "log.sqlite").unlink()
        await asyncio.wait_for(filled.wait(), LIMIT_S)
        await until(lambda: not tail.problem)
        assert len(warnings) == 1

    run(tmp_path, meanwhile)


def test_records_go_to_the_boards_of_their_topics():
    board = SeriesBoard(SPIKES)
    assert by_board([board], []) == {}
