"""Hours of our own ticks beside those of the exchange that sent them, on either log."""

import json
from contextlib import closing
from functools import partial

from barograph import codec
from barograph.log import open_log
from barograph.log.topics import (
    CANDLE_CHECKS,
    CANDLE_FEATURES,
    CANDLE_LETTERS,
    CANDLES,
    TICKS,
    ensure_candle_topics,
    ensure_topics,
)
from barograph.simulated.candle_faults import CandleFault, CandleFaultKind
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.pages import CandleTerms
from barograph.simulated.sources import simulated
from barograph.times import format_time
from barograph.types import NS_PER_S, Message
from verb_processes import Life
from waiting import until

PRODUCT = "BTC-USD"
START_S = 1_750_006_800 - 300
"""Five minutes before a full hour."""

HOURS, SPEED, LIMIT_S = 3, 900.0, 180.0
FAULTS = [
    ScriptedFault(kind=FaultKind.DROP, at_s=1_000.0, count=5),
    ScriptedFault(kind=FaultKind.REST_DOWN, at_s=300.0 + 3_650.0, seconds=3_000.0),
    ScriptedFault(kind=FaultKind.DROP, at_s=300.0 + 4_000.0, count=5),
]
"""A hole in the first hour that is filled, and one in the second that is not."""


def read(log, topic, decode):
    partitions = range(len(log.extents(topic)))
    return [decode.of(record) for n in partitions for record in log.read(topic, n, 0, 10**6)]


def answer(*words):
    return json.loads(Life(*words, "--json").answer())


def test_hours_of_ticks_are_the_exchanges_and_what_differs_is_said(address, tmp_path, warm):
    del warm
    market = SimulatedMarket(PRESETS["market"], [PRODUCT], 5, START_S * NS_PER_S)
    revised = CandleFault(CandleFaultKind.REVISED, 2)
    terms = Terms(
        limit_s=300.0 + HOURS * 3_600 + 60,
        wait_for_reader=True,
        rest_per_s=100.0,
        candles=CandleTerms(faults=(revised,)),
    )
    place = ("--log", address, "--home", tmp_path)
    with closing(open_log(address)) as log:
        ensure_topics(log)
        ensure_candle_topics(log)
        with running(Exchange(simulated(market), FAULTS, speed=SPEED, terms=terms)) as exchange:
            feeding = Life(
                "feed", "--venue", "simulated", "--url", f"ws://{exchange.address}",
                "--products", PRODUCT, *place, BAROGRAPH_CLOCK_LIMIT_S="1e12",
            )  # fmt: skip
            following = Life("candles", "--follow", *place, "--json")
            until(lambda: exchange.ended or not feeding.is_alive(), LIMIT_S)
            own = partial(read, log, CANDLES, codec.decode_candle)
            until(lambda: len(own()) == HOURS - 1 or not following.is_alive(), LIMIT_S)
            feeding.terminate()
            feeding.end(LIMIT_S)
            first_s = START_S + 300
            assert [each.start_s - first_s for each in own()] == [0, 7_200]

            asking = ("extract", "--url", f"http://{exchange.address}", *place)
            ends = [format_time((first_s + hour * 3_600) * NS_PER_S) for hour in (2, 3)]
            (done,) = answer(*asking, "--hours", "2", "--until", ends[0])["extracts"]
            assert (done["new"], done["own"], done["differing"]) == (2, 1, 0)
            (done,) = answer(*asking, "--hours", "3", "--until", ends[1], "--recheck", "3")[
                "extracts"
            ]
            assert (done["new"], done["own"], done["revised"], done["differing"]) == (1, 2, 1, 1)

            checks = partial(read, log, CANDLE_CHECKS, codec.decode_candle_check)
            until(lambda: len(checks()) == 3 or not following.is_alive(), LIMIT_S)
            following.terminate()
            code, out, err = following.end(LIMIT_S)
        assert code == 0, err
        done = json.loads(out)
        assert done["candles"]["values"] == HOURS - 1
        fields = [
            (each.start_s - first_s, [field.field for field in each.differences])
            for each in checks()
        ]
        assert sorted(fields) == [(0, []), (0, ["volume"]), (7_200, [])]
        assert b"volume" in err

        # The rows are of the candle that came first, and the other source is no dead letter.
        assert answer("featurize", "--case", "hourly", *place)["dead_letters"] == 0
        rows = read(log, CANDLE_FEATURES, codec.decode_row)
        assert [row.second + 1 - first_s for row in rows] == [3_600, 10_800]
        assert read(log, CANDLE_LETTERS, codec.decode_dead_letter) == []
        again_at(log, tmp_path / "again")


def again_at(log, home):
    """The same ticks in a log of its own, all at once: the same candles, byte for byte."""
    with closing(open_log(home)) as other:
        ensure_topics(other)
        ticks = [r for n in range(len(log.extents(TICKS))) for r in log.read(TICKS, n, 0, 10**6)]
        other.append([Message(TICKS, record.key, record.value) for record in ticks])
        assert answer("candles", "--home", home)["candles"]["values"] == HOURS - 1
        live = [r.value for r in log.read(CANDLES, 0, 0, 100) if b'"source":"ticks"' in r.value]
        assert [record.value for record in other.read(CANDLES, 0, 0, 100)] == live
