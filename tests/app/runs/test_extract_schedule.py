"""Extracts on a schedule, at a clock that only waits move: each hour once, through failures."""

import math
from contextlib import closing
from random import Random

import pytest

from barograph.app.runs.extract_schedule import follow
from barograph.candle_records import HOUR_S
from barograph.codec import decode_candle
from barograph.errors import BadInputError
from barograph.evaluation.quality_report import QualityPolicy
from barograph.feed.candles import SETTLE_S, ExtractPlan, Place, extract
from barograph.feed.extracted import Extracted
from barograph.log import open_log
from barograph.log.topics import CANDLES
from barograph.simulated.candle_faults import CandleFault, CandleFaultKind
from barograph.types import NS_PER_S
from candle_services import END_S, Service

HOURS = 6
BEGIN_S = END_S - HOURS * HOUR_S + 1000


class Day:
    """A clock from BEGIN_S on that stops everything at END_S and a while."""

    def __init__(self):
        self.now_ns, self.done, self.warnings = BEGIN_S * NS_PER_S, [], []

    def wait(self, seconds):
        assert seconds > 0.0
        self.now_ns += math.ceil(seconds * NS_PER_S)

    def follow(self, extract_until):
        return follow(
            extract_until,
            done=self.done.append,
            warn=self.warnings.append,
            wait=self.wait,
            stop=lambda: self.now_ns > (END_S + 1800) * NS_PER_S,
            clock_ns=lambda: self.now_ns,
            random=Random(1),
        )


@pytest.mark.slow
def test_each_hour_comes_into_the_log_after_its_end(tmp_path):
    faults = [
        CandleFault(CandleFaultKind.DOWN, 2, 20),  # more than one extract asks for
        CandleFault(CandleFaultKind.LIMITED, 26),
    ]
    service, day = Service("coinbase", *faults), Day()
    known = []

    def extract_until(until_s):
        assert (until_s + SETTLE_S) * NS_PER_S <= day.now_ns
        plan = ExtractPlan(product="BTC-USD", hours=300, until_s=until_s, recheck_hours=3)
        with closing(open_log(tmp_path)) as log:
            place = Place(log, tmp_path, QualityPolicy())
            extracted = extract(place, service.module, service.client(), plan)
            known.append(len(log.read(CANDLES, 0, 0, 10_000)))
            return extracted

    last = day.follow(extract_until)
    assert last.until_s == END_S
    # While the service is down hours pass; the first answer after it has them all.
    assert known[0] == 300
    assert known == sorted(known)
    assert known[-1] == 300 + HOURS
    assert day.warnings
    assert all("Asked again in" in line for line in day.warnings)
    with closing(open_log(tmp_path)) as log:
        starts = [decode_candle.of(each).start_s for each in log.read(CANDLES, 0, 0, 10_000)]
    assert starts == list(range(END_S - (300 + HOURS) * HOUR_S, END_S, HOUR_S))


def test_what_is_wrong_with_the_first_one_is_raised():
    def refused(_until_s):
        raise BadInputError("--url", "it is none", "Give one")

    day = Day()
    with pytest.raises(BadInputError):
        day.follow(refused)
    assert day.now_ns == BEGIN_S * NS_PER_S


def test_a_stopped_one_is_the_last():
    day = Day()

    def stopped(until_s):
        day.now_ns = (END_S + 3600) * NS_PER_S
        return Extracted(source="coinbase", product="BTC-USD", until_s=until_s, stopped=True)

    assert day.follow(stopped).stopped
    assert len(day.done) == 1


def test_an_hour_that_the_gate_stopped_is_not_asked_for_before_the_next():
    day = Day()

    def refused(until_s):
        return Extracted(source="coinbase", product="BTC-USD", until_s=until_s, passed=False)

    assert not day.follow(refused).passed
    assert [each.until_s for each in day.done] == [
        END_S - hour * HOUR_S for hour in range(HOURS, -1, -1)
    ]
