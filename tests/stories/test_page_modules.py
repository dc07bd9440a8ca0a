"""What the live page's modules compute, asked of them in a browser: buckets, outcomes, words."""

import pytest

from barograph.types import Fault, GapCause, Verdict
from browsers import launched, opened
from static_pages import served_static

NS = 1_000_000_000
START_S = 1_790_000_040  # a whole minute


@pytest.fixture(scope="module")
def ask(chromium):
    """Evaluates a function of the page's modules: `ask(name of the module, source, argument)`."""
    with launched(chromium) as browser, served_static() as address, opened(browser) as watched:
        watched.page.goto(f"{address}/icon.svg")

        def evaluate(module, source, argument=None):
            load = f"const module = await import('{address}/{module}');"
            return watched.page.evaluate(f"async (argument) => {{ {load} {source} }}", argument)

        yield evaluate


def _prediction(second, **changed):
    return {
        "product": "BTC-USD",
        "time_ns": second * NS,
        "verdict": "PREDICTED",
        "probability": 0.1,
        "alarm": False,
        "threshold": 0.3,
        "tau": 2.0,
        "value_now": 1.0,
        "mid": 100.0,
        "horizon_s": 60,
        "matured": None,
        **changed,
    }


def _answer(seconds, **columns):
    """An answer of /v1/series with a bucket at each of the seconds."""
    count = len(seconds)
    extremes = {
        name: {part: list(columns.get(name, [1.0] * count)) for part in ("min", "max", "last")}
        for name in ("mid", "volatility", "probability")
    }
    return {
        "time_ns": [second * NS for second in seconds],
        **extremes,
        "tau": [2.0] * count,
        "threshold": [0.3] * count,
        "alarm": list(columns.get("alarm", [False] * count)),
        "verdict": ["PREDICTED"] * count,
        "outcome": list(columns.get("outcome", [None] * count)),
        "level": columns.get("level"),
        "gaps": list(columns.get("gaps", [])),
    }


SERIES = """
const series = new module.Series(argument.step, 60);
for (const [name, value] of argument.calls) series[name](value);
return {time: series.time, max: series.probability.max, min: series.probability.min,
  last: series.probability.last, outcome: series.outcome, verdict: series.verdict,
  gaps: series.gaps, newest: series.newestS};
"""


def _series(ask, calls, step=1):
    return ask("series.js", SERIES, {"step": step, "calls": calls})


def test_a_prediction_joins_the_bucket_that_ends_behind_it_and_no_spike_disappears(ask):
    calls = [
        ["add", _prediction(START_S + second, probability=probability)]
        for second, probability in ((1, 0.1), (5, 0.9), (10, 0.2), (11, 0.4))
    ]
    series = _series(ask, calls, step=10)
    assert series["time"] == [START_S + 10, START_S + 20]
    assert series["max"] == [0.9, 0.4]  # exact: as given
    assert series["min"] == [0.1, 0.4]  # exact: as given
    assert series["last"] == [0.2, 0.4]  # exact: as given


def test_missing_seconds_break_the_line(ask):
    calls = [["add", _prediction(START_S + second)] for second in (1, 2, 6)]
    series = _series(ask, calls)
    assert series["time"] == [START_S + 1, START_S + 2, START_S + 3, START_S + 6]
    assert series["last"] == [0.1, 0.1, None, 0.1]  # exact: as given


def test_a_prediction_that_comes_twice_or_late_changes_nothing(ask):
    calls = [["add", _prediction(START_S + second)] for second in (1, 2, 2, 1)]
    calls.append(["add", _prediction(START_S + 1, probability=0.8)])
    assert _series(ask, calls)["last"] == [0.1, 0.1]  # exact: as given


def test_what_was_missed_while_disconnected_goes_between_what_was_there_and_what_came_since(ask):
    calls = [
        ["merge", _answer([START_S, START_S + 1])],
        ["add", _prediction(START_S + 5, probability=0.5)],
        ["merge", _answer([START_S + 1, START_S + 2, START_S + 3, START_S + 4])],
        ["add", _prediction(START_S + 6, probability=0.6)],
    ]
    series = _series(ask, calls)
    assert series["time"] == [START_S + second for second in range(7)]
    assert series["last"] == [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.6]  # exact: as given


def test_an_outcome_comes_with_the_prediction_a_horizon_later(ask):
    matured = {"time_ns": START_S * NS, "probability": 0.5, "alarm": True, "outcome": True}
    calls = [["add", _prediction(START_S + second)] for second in range(60)]
    calls.append(["add", _prediction(START_S + 60, matured=matured)])
    outcome = _series(ask, calls)["outcome"]
    assert outcome[0] is True
    assert set(outcome[1:]) == {None}


def test_the_first_verdict_without_a_probability_is_that_of_its_bucket(ask):
    calls = [
        ["add", _prediction(START_S + second, verdict=verdict)]
        for second, verdict in ((1, "PREDICTED"), (2, "GAP"), (3, "PREDICTED"))
    ]
    assert _series(ask, calls, step=10)["verdict"] == ["GAP"]


def test_a_gap_that_is_told_twice_is_one(ask):
    gap = {"start_ns": START_S * NS, "end_ns": (START_S + 9) * NS, "cause": "silence"}
    calls = [["addGap", gap], ["merge", _answer([], gaps=[{**gap, "missing": None}])]]
    assert _series(ask, calls)["gaps"] == [{**gap, "missing": None}]


RUNS = """
const {Series} = await import('./series.js');
const series = new Series(1, 60);
series.merge(argument);
const alarms = module.alarmRuns(series), spikes = module.spikeRuns(series);
const kinds = (runs) => runs.map((run) => run.kind);
const tally = module.tally(series, alarms, spikes, 0);
return {alarms: kinds(alarms), spikes: kinds(spikes), tally};
"""


def _runs(ask, alarm, outcome):
    seconds = [START_S + i for i in range(len(alarm))]
    return ask("outcomes.js", RUNS, _answer(seconds, alarm=alarm, outcome=outcome))


@pytest.mark.parametrize(
    ("outcomes", "kind"),
    [
        ([False, True, False], "hit"),
        ([False, False, False], "false"),
        ([False, None, False], "pending"),
    ],
)
def test_an_alarm_is_judged_by_all_of_its_seconds(ask, outcomes, kind):
    runs = _runs(ask, [True, True, True], outcomes)
    assert runs["alarms"] == [kind]


def test_an_alarm_whose_outcome_never_came_is_not_observed(ask):
    runs = _runs(ask, [True] + [False] * 99, [None] + [False] * 99)
    assert runs["alarms"] == ["unseen"]


def test_a_spike_without_an_alarm_is_a_miss_and_spikes_within_a_horizon_are_one(ask):
    alarm = [False] * 200
    outcome = [True] + [False] * 30 + [True] + [False] * 100 + [True] + [False] * 67
    runs = _runs(ask, alarm, outcome)
    assert runs["spikes"] == ["miss", "miss"]
    assert runs["tally"] == {"hit": 0, "false": 0, "miss": 2, "pending": 0, "unseen": 0}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.6, "1 min"), (200, "3 min 20 s"), (7_500, "2 h 5 min"), (273_600, "3 d 4 h")],
)
def test_a_duration_has_its_two_largest_units(ask, seconds, words):
    assert ask("times.js", "return module.duration(argument)", seconds) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, "–"), (0, "0 %"), (0.0004, "< 0.1 %"), (0.012, "1.2 %"), (0.634, "63 %"), (1, "100 %")],
)
def test_a_share_is_a_percentage(ask, share, words):
    assert ask("figures.js", "return module.percent(argument)", share) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (64_231.5, "64,231.50"), (1.23456, "1.2346"), (0.000012345, "0.00001235")],
)
def test_a_price_keeps_the_digits_that_count(ask, value, words):
    assert ask("figures.js", "return module.price(argument)", value) == words


def test_the_unit_of_small_values_is_a_power_of_ten(ask):
    source = "return [module.exponent(argument), module.scaledUnit(module.exponent(argument), 'x')]"
    assert ask("figures.js", source, 0.0000597) == [-5, "10⁻⁵ x"]
    assert ask("figures.js", source, 12.0) == [0, "x"]


def test_every_verdict_cause_and_fault_has_words(ask):
    """A word of the code on the page would be a riddle for whom it is made."""
    known = ask(
        "words.js", "return [module.CAUSES, module.FAULTS, module.VERDICTS].map(Object.keys)"
    )
    for words, names in zip(
        known, (GapCause, Fault, set(Verdict) - {Verdict.PREDICTED}), strict=True
    ):
        assert {str(name) for name in names} - set(words) == set()


FAN = """
const {Series} = await import('./series.js');
const series = new Series(60, 120, 60);
series.merge(argument.answer);
for (const prediction of argument.later) series.add(prediction);
const fan = module.fanOf(series);
const without = (column) => column.map((value) => (value === undefined ? 'no point' : value));
return {time: fan.time, value: without(fan.value), low: without(fan.low),
  inside: without(fan.inside), held: module.heldIn(fan, 0, 1e12),
  newest: module.newestForecast(fan)};
"""


def _fan(ask, count, low, inside, later=()):
    answer = _answer(
        [START_S + 60 * n for n in range(count)],
        level={"median": low, "low": low, "high": low, "inside": inside},
    )
    return ask("fan.js", FAN, {"answer": answer, "later": list(later)})


@pytest.mark.parametrize(
    ("verdict", "wait", "left", "counted"),
    [
        ("WARMUP", (39, 60, 680), "11 min 20 s", "39 of 60 s without a break, then it learns"),
        ("WARMUP", (30, 900, 870), "14 min 30 s", "30 of 900 s without a break"),
        ("NO_MODEL", (150, 600, 450), "7 min 30 s", "150 of 600 s learned"),
    ],
)  # fmt: skip
def test_what_is_waited_for_is_a_sentence_with_all_that_is_left(ask, verdict, wait, left, counted):
    have, need, left_s = wait
    said = ask(
        "words.js",
        "return module.verdict({verdict: argument[0]}, argument[1]).text;",
        [verdict, {"have": have, "need": need, "left_s": left_s}],
    )
    assert said == f"Ready in {left}, if nothing breaks: {counted}."


def test_a_forecast_stands_at_the_time_that_it_is_made_for(ask):
    fan = _fan(ask, 3, [5.0, 6.0, None], [True, None, None])
    assert fan["time"] == [START_S + 60 * n for n in range(5)]
    assert fan["value"] == [1.0, 1.0, 1.0, "no point", "no point"]
    assert fan["low"] == ["no point", "no point", 5.0, 6.0, None]
    assert fan["held"] == {"held": 1, "matured": 1}
    assert fan["newest"] == 3


def test_what_came_of_a_forecast_comes_with_the_prediction_a_horizon_later(ask):
    matured = {"time_ns": (START_S + 60) * NS, "probability": 0.1, "alarm": False, "outcome": False}
    later = _prediction(
        START_S + 180, median=4.0, low=3.0, high=5.0, matured={**matured, "inside": False}
    )
    fan = _fan(ask, 3, [5.0, 6.0, 7.0], [True, None, None], [later])
    assert fan["inside"][:4] == ["no point", "no point", True, False]
    assert fan["low"][-1] == 3.0
    assert fan["held"] == {"held": 1, "matured": 2}


def test_a_series_without_a_level_has_a_fan_of_nothing(ask):
    answer = _answer([START_S, START_S + 60])
    fan = ask("fan.js", FAN, {"answer": answer, "later": [_prediction(START_S + 120)]})
    assert set(fan["low"]) == {"no point", None}
    assert (fan["held"], fan["newest"]) == ({"held": 0, "matured": 0}, -1)


def test_rows_an_hour_apart_are_shown_in_days(ask):
    source = "return module.spansOf(argument).map(([spanS, words]) => words)"
    assert ask("series.js", source, 1) == ["15 min", "1 h", "6 h", "24 h"]
    assert ask("series.js", source, 3_600) == ["24 h", "7 d", "30 d"]


def test_a_forecast_is_a_sentence_in_the_unit_of_its_case(ask):
    facts = {"value": "gk_vol_1h", "unit": "1/√h", "horizon_s": 3_600, "coverage": 0.9}
    source = "return [module.expected(...argument), module.valueName(argument[1])]"
    said = {"median": 0.0042, "low": 0.0021, "high": 0.0085}
    words = "Next hour: 4.20, 90 % from 2.10 to 8.50 (10⁻³ 1/√h)"
    assert ask("level_words.js", source, [said, facts]) == [words, "Volatility"]
    waiting = {**facts, "value": "people_waiting", "unit": "people"}
    nothing = {"median": None, "low": None, "high": None}
    assert ask("level_words.js", source, [nothing, waiting]) == ["", "People waiting"]
