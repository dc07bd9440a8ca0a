"""The demo of the hourly cases: candles through the quality gate, models of three horizons, a page.

Candles come from a file, or from the simulated exchange as `barograph extract` asks for them. The
last weeks come after the training, as they would have come hour by hour: what the page and the
scores show of them was forecast by models that had not seen them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from barograph import codec
from barograph.app.runs import extracting
from barograph.app.runs.demo import Showing, peak_rss_mb
from barograph.app.settings import Settings
from barograph.app.terminal import terminal, training_summary
from barograph.app.terminal.detail import Detail, chosen
from barograph.app.wiring import stages
from barograph.candle_records import HOUR_S
from barograph.cases.case import Case, adapted, live_of
from barograph.cases.hourly import HOURLY, HOURLY_6H, HOURLY_24H
from barograph.errors import BadInputError
from barograph.evaluation.matured import LiveScores, judge
from barograph.feed.candles import last_end_s
from barograph.feed.extracted import Extracted
from barograph.figures import figure
from barograph.log import Log, browse, open_log
from barograph.pipeline.live_scores import matured
from barograph.pipeline.worker import when_idle
from barograph.registry.registry import Registry
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.pages import CandleTerms
from barograph.simulated.sources import simulated
from barograph.training import dataset, series_dataset, train
from barograph.training.report import TrainingReport
from barograph.types import NS_PER_S, Prediction

_QUICK = ("har_season", "linear")
CASES = (
    adapted(HOURLY, quantile=None, candidates=("linear", "lightgbm_regression", "combination")),
    adapted(HOURLY_6H, quantile=None, candidates=_QUICK),
    adapted(HOURLY_24H, quantile=None, candidates=_QUICK),
)
"""The cases with those candidates that fit in a demo; `barograph train` tries them all."""

PRODUCT = "BTC-USD"
UNSEEN_HOURS = 14 * 24
"""Hours that come after the training."""

HOURS = 20_000
"""Hours of an invented market, if none are asked for."""

_REST_PER_S = 1000.0
_RESAMPLES = 500
_LINES = 3
"""Of each training: three cases answer on a screen."""

Bring = Callable[[int], Extracted]
"""Brings the candles up to the Unix second of an hour's end into the log."""


class HourlyForecast(msgspec.Struct, frozen=True, kw_only=True):
    """The newest forecast of a case, and how those of the hours after the training did.

    `scores` is null where no model of the training was promoted.
    """

    case: str
    horizon_h: int
    prediction: Prediction
    scores: LiveScores | None


class HourlyDemoSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a demo of the hourly cases; `ok` is true if `problems` is empty."""

    ok: bool
    problems: list[str]
    seconds: float
    phase_seconds: dict[str, float]
    peak_rss_mb: float
    extracts: list[Extracted]
    trainings: list[TrainingReport]
    forecasts: list[HourlyForecast]


def run(
    settings: Settings, how: Showing, *, file: Path | None, hours: int, seed: int
) -> HourlyDemoSummary:
    """Run the demo in `settings.home`; unless `how.check`, serve the page until stopped.

    file: candles of BTC-USD; None takes `hours` of an invented market. Raises BadInputError for a
    file that cannot be read, that the gate stops, or that has too few hours.
    """
    console = terminal.Screen(stderr=True)
    phases = terminal.Phases(console)
    with closing(open_log(settings.home)) as log:
        with _source(settings, log, file, hours, seed) as (bring, end_s):
            with phases.of("candles: through the quality gate into the log"):
                extracts = [bring(end_s - UNSEEN_HOURS * HOUR_S)]
                _refuse_stopped(extracts)
            with phases.of("features, and a baseline until there is a model"):
                _work(settings, console.log)
            trainings = []
            for case in CASES:
                with phases.of(f"training {case.name}: dataset, walk-forward, gate"):
                    series_dataset.build(log, settings.home, case)
                    trainings.append(_trained(settings, case, seed))
                training_summary.show(console, trainings[-1], _LINES)
            with phases.of(f"{UNSEEN_HOURS} hours that no model has seen: forecasts, one by one"):
                extracts.append(bring(end_s))
                _refuse_stopped(extracts)
                _work(settings, console.log)
        forecasts = [_forecast(log, case) for case in CASES]
    if chosen() is not Detail.QUIET:
        for forecast in forecasts:
            console.print(sentence(forecast))
    if not how.check:
        with how.stopping() as stop, how.page as page:
            console.print(f"the page is at {page}/#case={HOURLY.name} · Ctrl-C stops")
            stop.wait()
    problems = _problems(trainings, forecasts)
    return HourlyDemoSummary(
        ok=not problems,
        problems=problems,
        seconds=round(sum(phases.seconds.values()), 3),
        phase_seconds=phases.seconds,
        peak_rss_mb=peak_rss_mb(),
        extracts=extracts,
        trainings=trainings,
        forecasts=forecasts,
    )


def sentence(forecast: HourlyForecast) -> str:
    """What the next hours may bring, and how such forecasts did after the training, on a line."""
    said, hours = forecast.prediction, forecast.horizon_h
    span = "next hour" if hours == 1 else f"next {hours} hours"
    if said.forecast is None or said.low is None or said.high is None:
        return f"{span}: no forecast ({said.verdict})"
    text = (
        f"{span}: {_percent(said.forecast)} %/√h, "
        f"90 % from {_percent(said.low)} to {_percent(said.high)}"
    )
    if forecast.scores is not None and (level := forecast.scores.level) is not None:
        text += f"; held {figure(level.coverage.estimate, 0, share=True)} of {level.rows} hours"
    return text


def _percent(value: float) -> str:
    return figure(100 * value, 2)


@contextmanager
def _source(
    settings: Settings, log: Log, file: Path | None, hours: int, seed: int
) -> Iterator[tuple[Bring, int]]:
    """What brings candles, and the Unix second at which the last one ends."""
    if file is not None:
        policy = extracting.policy_of(settings)
        judged = extracting.judged_file(file, PRODUCT, policy, time.time_ns())
        report = judged.judged.report
        extracting.write_report(settings.home, judged.judged, judged.table)
        if not report.passed or report.last_s is None:
            raise BadInputError(
                str(file),
                "the quality gate stops it",
                f"See why: `barograph quality {file}`",
            )

        def of_file(until_s: int) -> Extracted:
            part = judged._replace(judged=judged.judged.before(until_s))
            (done,) = extracting.from_files(log, settings, [part], PRODUCT)
            return done

        yield of_file, report.last_s + HOUR_S
        return
    now_ns = time.time_ns() // NS_PER_S * NS_PER_S
    market = SimulatedMarket(PRESETS["market"], (PRODUCT,), seed, now_ns)
    # A forecast of persistence after an hour without a trade is the floor: its QLIKE is so large
    # that a few such hours are most of the mean, and the gate would judge those alone.
    candles = CandleTerms(seed=seed, quiet_hours=False)
    terms = Terms(rest_per_s=_REST_PER_S, candles=candles)
    end_s = last_end_s(now_ns)
    with running(Exchange(simulated(market), terms=terms)) as exchange:

        def of_exchange(until_s: int) -> Extracted:
            first_s = end_s - hours * HOUR_S
            plan = extracting.ServicePlan(
                source="coinbase",
                product=PRODUCT,
                hours=(until_s - first_s) // HOUR_S,
                until_s=until_s,
                url=f"http://{exchange.address}",
            )
            return extracting.from_service(log, settings, plan)

        yield of_exchange, end_s


def _refuse_stopped(extracts: Sequence[Extracted]) -> None:
    if not extracts[-1].passed:
        raise BadInputError(
            "the candles", "the quality gate stops them", "See the report in reports/quality"
        )


def _work(settings: Settings, warn: Callable[[str], None]) -> None:
    """Make the rows that are missing, and let every case forecast from them."""
    for case in CASES:
        of_case = stages(settings, settings.home, case, warn)
        if live_of(case).machine is not None:
            of_case.featurize(when_idle)
        of_case.score(when_idle)


def _trained(settings: Settings, case: Case, seed: int) -> TrainingReport:
    how = train.Training(seed=seed, folds=settings.folds, resamples=_RESAMPLES)
    registry, data = Registry(settings.home), dataset.read(settings.home, case)
    return train.train(case, data, registry, how, clock_ns=time.time_ns)


def _forecast(log: Log, case: Case) -> HourlyForecast:
    live = live_of(case)
    newest = codec.decode_prediction.of(browse.last(log, live.predictions, 1)[-1])
    models = matured(log, live.predictions, live)
    return HourlyForecast(
        case=case.name,
        horizon_h=live.horizon_s // HOUR_S,
        prediction=newest,
        scores=judge(newest.model, models[newest.model]) if newest.forecast is not None else None,
    )


def _problems(
    trainings: Sequence[TrainingReport], forecasts: Sequence[HourlyForecast]
) -> list[str]:
    refused = [each.case for each in trainings if not each.gate.decision.promote]
    silent = [each.case for each in forecasts if each.prediction.forecast is None]
    return [
        *(f"the gate did not promote {name}" for name in refused),
        *(f"{name} has no forecast" for name in silent if name not in refused),
    ]
