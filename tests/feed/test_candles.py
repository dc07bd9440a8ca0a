"""Extract: each hour once, whatever the service does, and wherever the run is killed."""

from contextlib import closing, suppress

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.archive.candles import kept_answers
from barograph.candle_records import HOUR_S
from barograph.codec import decode_candle
from barograph.errors import ReplacedProducerError
from barograph.evaluation.quality import Subject, judge
from barograph.evaluation.quality_report import QualityPolicy
from barograph.feed.candles import (
    ExtractPlan,
    JudgedFile,
    Place,
    extract,
    extract_file,
    last_end_s,
)
from barograph.log import open_log
from barograph.log.topics import CANDLES
from barograph.simulated.candle_faults import CandleFault, CandleFaultKind
from barograph.simulated.candle_history import QUIET_HOUR
from candle_services import END_S, KilledError, Service
from candle_tables import START_S, table

QUIET_S = END_S // HOUR_S // QUIET_HOUR * QUIET_HOUR * HOUR_S
"""The newest hour without a trade."""

HOURS = (END_S - QUIET_S) // HOUR_S + 400
BOTH = pytest.mark.parametrize("name", ["coinbase", "cryptocompare"])
EVERY_FAULT = [
    CandleFault(kind, place + 1)
    for place, kind in enumerate(CandleFaultKind)
    if kind not in {CandleFaultKind.REVISED, CandleFaultKind.MISSING}
]


def run(home, service, hours=HOURS, until_s=END_S, dies_at=None, **plan):
    """An extract from a service, as a process does it; None where it was killed."""
    made = ExtractPlan(product="BTC-USD", hours=hours, until_s=until_s, **plan)
    with closing(open_log(home)) as log, suppress(KilledError):
        place = Place(log, home, QualityPolicy())
        return extract(place, service.module, service.client(dies_at), made)


def written(home):
    """The candles in the log, in their order."""
    with closing(open_log(home)) as log:
        return [decode_candle.of(record) for record in log.read(CANDLES, 0, 0, 10**6)]


def kept(home):
    return [(answer.facts.from_s, answer.facts.to_s, answer.body) for answer in kept_answers(home)]


@pytest.mark.slow
@BOTH
def test_every_hour_goes_into_the_log_once_in_order(tmp_path, name):
    done = run(tmp_path, Service(name))
    candles = written(tmp_path)
    assert [each.start_s for each in candles] == list(range(END_S - HOURS * HOUR_S, END_S, HOUR_S))
    assert (done.new, done.there, done.missing, done.empty) == (HOURS, 0, 0, 1)
    assert {each.source for each in candles} == {name}
    (empty,) = [each for each in candles if each.open is None]
    assert empty.start_s == QUIET_S
    assert done.passed
    assert done.report.rows == HOURS


@pytest.mark.slow
def test_both_services_have_the_same_hours(tmp_path):
    run(tmp_path / "one", Service("coinbase"))
    run(tmp_path / "other", Service("cryptocompare"))
    prices = [
        [(each.start_s, each.open, each.close, each.volume) for each in written(home)]
        for home in (tmp_path / "one", tmp_path / "other")
    ]
    assert [each[:3] for each in prices[0]] == [each[:3] for each in prices[1]]


@pytest.mark.slow
@BOTH
def test_what_is_there_is_not_asked_for_again(tmp_path, name):
    service = Service(name)
    run(tmp_path, service)
    asked = len(service.urls)
    again = run(tmp_path, service)
    assert (len(service.urls), again.new, again.there) == (asked, 0, HOURS)
    later = run(tmp_path, service, until_s=END_S)
    assert (later.requests, later.reused) == (0, 0)


@pytest.mark.slow
def test_an_hour_is_asked_for_once_and_the_last_of_a_page_twice(tmp_path):
    service = Service("cryptocompare")
    run(tmp_path, service)
    hours = service.hours_asked()
    assert len(hours) - len(set(hours)) == len(service.urls) - 1


@pytest.mark.slow
@BOTH
def test_new_hours_alone_are_asked_for_later(tmp_path, name):
    service = Service(name)
    run(tmp_path, service, hours=200, until_s=END_S - 3 * HOUR_S)
    asked = len(service.urls)
    done = run(tmp_path, service, hours=203)
    assert (done.there, done.new, len(service.urls) - asked) == (200, 3, 1)


@pytest.mark.slow
@BOTH
def test_faults_change_nothing_of_what_is_written(tmp_path, name):
    run(tmp_path / "calm", Service(name))
    service = Service(name, *EVERY_FAULT)
    done = run(tmp_path / "faulty", service)
    assert all(service.endpoint.faults.struck)
    assert written(tmp_path / "faulty") == written(tmp_path / "calm")
    assert done.requests > sum(done.failures.values()) > 0


@pytest.mark.slow
@BOTH
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
@given(deaths=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_a_run_that_is_killed_anywhere_leaves_what_an_undisturbed_one_leaves(
    tmp_path_factory, name, deaths
):
    calm, killed = (tmp_path_factory.mktemp(each) for each in ("calm", "killed"))
    run(calm, Service(name))
    service = Service(name, *EVERY_FAULT)
    for dies_at in deaths:
        run(killed, service, dies_at=dies_at)
    done = run(killed, service)
    assert written(killed) == written(calm)
    assert {place[:2] for place in kept(killed)} == {place[:2] for place in kept(calm)}
    assert len(kept(killed)) == len(kept(calm))
    assert done.missing == 0


@pytest.mark.slow
@pytest.mark.parametrize("step", ["keep", "append"])
def test_a_run_that_is_killed_between_archive_and_log_goes_on_with_the_kept_answer(
    tmp_path, monkeypatch, step
):
    service, calm = Service("coinbase"), tmp_path / "calm"
    run(calm, service)
    asked = len(service.urls)
    owner = "barograph.archive.candles.CandleArchive.keep"
    if step == "append":
        owner = "barograph.log.sqlite.SqliteLog.append"
    module, _, attribute = owner.rpartition(".")
    package, _, kind = module.rpartition(".")
    holder = getattr(__import__(package, fromlist=[kind]), kind)
    original, calls = getattr(holder, attribute), []

    def dying(self, *args, **how):
        calls.append(1)
        if step == "append" and len(calls) == 3:
            raise KilledError
        original(self, *args, **how)
        if step == "keep" and len(calls) == 3:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(holder, attribute, dying)
        assert run(tmp_path / "killed", service) is None
    done = run(tmp_path / "killed", service)
    assert (done.reused, len(service.urls)) == (1, 2 * asked)
    assert written(tmp_path / "killed") == written(calm)
    assert kept(tmp_path / "killed") == kept(calm)


@pytest.mark.slow
@BOTH
def test_a_revised_hour_is_a_new_version_and_is_named(tmp_path, name):
    run(tmp_path, Service(name), hours=100, until_s=END_S - HOUR_S)
    done = run(tmp_path, Service(name, CandleFault(CandleFaultKind.REVISED, 1)), hours=101)
    (revised,) = done.first_revised
    assert (done.revised, done.new) == (1, 1)
    assert (revised.start_s, revised.version) == (END_S - 2 * HOUR_S, 2)
    assert "volume" in revised.changed
    *_, second, newest = written(tmp_path)
    assert (second.version, second.start_s, newest.start_s) == (
        2, END_S - 2 * HOUR_S, END_S - HOUR_S,
    )  # fmt: skip


@pytest.mark.slow
def test_hours_that_are_there_are_asked_for_again_on_request(tmp_path):
    run(tmp_path, Service("coinbase"), hours=100, until_s=END_S - HOUR_S)
    service = Service("coinbase", CandleFault(CandleFaultKind.REVISED, 1))
    done = run(tmp_path, service, hours=101, recheck_hours=24)
    assert done.first_revised[0].start_s == END_S - 25 * HOUR_S
    assert (done.revised, done.new) == (1, 1)


@pytest.mark.slow
def test_an_hour_that_lacks_is_missing_until_a_later_run_finds_it(tmp_path):
    service = Service("cryptocompare", CandleFault(CandleFaultKind.MISSING, 1))
    done = run(tmp_path, service, hours=100, until_s=END_S - HOUR_S)
    assert (done.missing, done.new) == (1, 99)
    assert run(tmp_path, service, hours=100, until_s=END_S - HOUR_S).requests == 0
    done = run(tmp_path, service, hours=101)
    assert (done.missing, done.new, done.late) == (0, 2, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "weeks"), [("coinbase", 5), ("cryptocompare", 0.9)])
def test_weeks_without_a_trade_are_empty_and_hours_before_the_first_trade_are_not(
    tmp_path, name, weeks
):
    # Before it the market had not begun, for as long as the simulated service looks back.
    first_s, last_s = END_S - 960 * HOUR_S, END_S - 100 * HOUR_S
    calm = range(last_s - int(168 * weeks) * HOUR_S, last_s, HOUR_S)
    quiet = {*range(END_S - 7000 * HOUR_S, first_s, HOUR_S), *calm}
    done = run(tmp_path, Service(name, quiet=quiet), hours=972)
    candles = written(tmp_path)
    assert candles[0].start_s == first_s
    assert {each.start_s for each in candles if each.open is None} == {*calm, QUIET_S}
    assert done.missing == 12
    assert (done.passed, candles[-1].start_s) == (True, END_S - HOUR_S)


@pytest.mark.slow
def test_an_answer_in_another_currency_is_asked_for_again(tmp_path):
    service = Service("coinbase", CandleFault(CandleFaultKind.CURRENCY, 2))
    done = run(tmp_path, service)
    ((why, count),) = done.failures.items()
    assert ("another market or currency" in why, count, done.bad) == (True, 1, 0)


def test_nothing_goes_into_the_log_after_the_gate_stopped(tmp_path):
    made = ExtractPlan(product="BTC-USD", hours=HOURS, until_s=END_S)
    service, reported = Service("coinbase"), []
    with closing(open_log(tmp_path)) as log:
        place = Place(log, tmp_path, QualityPolicy(min_volume=1e9))
        done = extract(
            place, service.module, service.client(), made,
            reported=lambda judged, frame: reported.append((judged.report, len(frame))),
        )  # fmt: skip
    assert (done.passed, done.new, done.missing) == (False, 0, HOURS)
    assert written(tmp_path) == []
    assert [(report.passed, rows) for report, rows in reported] == [(False, 300)]


@pytest.mark.slow
def test_the_newest_hour_must_be_fresh(tmp_path):
    service = Service("cryptocompare")
    assert run(tmp_path, service, hours=400).passed
    late = run(tmp_path, service, hours=490, until_s=END_S + 90 * HOUR_S)
    assert (late.passed, late.new) == (False, 0)
    assert [rule.name for rule in late.report.broken if rule.stops] == ["fresh"]


def file_of(frame, step_s=HOUR_S):
    subject = Subject(
        source="f.csv", product="BTC-USD", form="CSV", step_s=step_s, now_ns=2 * 10**18
    )
    return JudgedFile("f.csv", step_s, 0, judge(frame, QualityPolicy(), subject), frame)


def test_a_file_is_written_once_without_its_bad_row(tmp_path):
    frame = table(200, high={7: "1"})
    with closing(open_log(tmp_path)) as log:
        place = Place(log, tmp_path, QualityPolicy())
        first, second = (extract_file(place, file_of(frame), "BTC-USD") for _ in range(2))
    assert (first.new, first.bad, first.missing) == (199, 1, 1)
    assert (second.new, second.there, second.revised) == (0, 199, 0)
    assert [each.start_s for each in written(tmp_path)] == [
        START_S + hour * HOUR_S for hour in range(200) if hour != 7
    ]


def test_minutes_of_a_file_become_hours_with_volatility(tmp_path):
    with closing(open_log(tmp_path)) as log:
        place = Place(log, tmp_path, QualityPolicy())
        done = extract_file(place, file_of(table(600, step_s=60), 60), "BTC-USD")
    assert (done.new, done.hours) == (10, 10)
    assert all(each.realized_vol > 0 for each in written(tmp_path))


@pytest.mark.slow
def test_a_service_leaves_alone_what_a_file_brought_and_fills_its_holes(tmp_path):
    service = Service("coinbase")
    run(tmp_path / "asked", service, hours=60)
    rows = {each.start_s: each for each in written(tmp_path / "asked")}
    starts = sorted(rows)
    columns = {"line": list(range(60)), "start_s": starts, "volume": ["1"] * 60}
    for name in ("open", "high", "low", "close"):
        columns[name] = [getattr(rows[each], name) for each in starts]
    frame = table(60).with_columns(
        **{name: type(table(1)[name])(name, values) for name, values in columns.items()}
    )
    with closing(open_log(tmp_path)) as log:
        place = Place(log, tmp_path, QualityPolicy())
        extract_file(place, file_of(frame.filter(frame["line"] != 30)), "BTC-USD")
    done = run(tmp_path, Service("coinbase"), hours=60)
    assert (done.there, done.new, done.late, done.kept) == (59, 1, 1, 1)


@pytest.mark.slow
def test_two_runs_of_one_product_do_not_mix(tmp_path):
    service = Service("coinbase")

    def interrupt(_done, _hours):
        run(tmp_path, Service("coinbase"))

    made = ExtractPlan(product="BTC-USD", hours=HOURS, until_s=END_S)
    with closing(open_log(tmp_path)) as log:
        place = Place(log, tmp_path, QualityPolicy())
        with pytest.raises(ReplacedProducerError):
            extract(place, service.module, service.client(), made, progress=interrupt)
    starts = [each.start_s for each in written(tmp_path)]
    assert starts == sorted(set(starts))
    assert len(starts) == HOURS


def test_an_hour_is_asked_for_a_minute_after_its_end():
    assert last_end_s((START_S + HOUR_S + 59) * 10**9) == START_S
    assert last_end_s((START_S + HOUR_S + 60) * 10**9) == START_S + HOUR_S


def test_a_backfilled_candle_has_no_receive_time_and_what_was_done_is_json(tmp_path):
    done = run(tmp_path, Service("coinbase"), hours=50)
    assert all(each.receive_time_ns is None for each in written(tmp_path))
    assert msgspec.json.decode(msgspec.json.encode(done))["new"] == 50
