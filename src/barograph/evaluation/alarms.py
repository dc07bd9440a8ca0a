"""Alarm scores by episode: episodes warned in time, lead times, and false alarms per hour.

One storm yields many positive rows. A user wants to know whether each storm was announced, how
early, and how many alarms were false.
"""

from collections.abc import Sequence
from math import nan

import msgspec
import numpy as np

from barograph.arrays import Bool, Float64, Int64
from barograph.compiled import compiled
from barograph.errors import TooLittleDataError


class WatchedRows(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The rows of one product with label and probability, by which its alarms are scored.

    `second` (n,) int64 is strictly increasing, `probability` (n,) float64 is known at its end, and
    `episodes` (m, 2) int64 are those of these rows (`labels.episodes`).
    """

    second: Int64
    probability: Float64
    episodes: Int64


class EpisodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """Alarm scores; the result of `episode_report`.

    Lead times in seconds cover warned episodes whose start was observed; NaN if there are none, as
    is `recall` without episodes.
    """

    episodes: int
    warned: int
    recall: float
    lead_p10_s: float
    lead_median_s: float
    lead_p90_s: float
    alerts: int
    false_alerts: int
    hours: float
    false_alarms_per_hour: float


def episode_report(
    watches: Sequence[WatchedRows], threshold: float, *, horizon_s: int = 60, step_s: int = 1
) -> EpisodeReport:
    """Score the alarms `probability >= threshold` by episode.

    An episode has its first spike label at f and its last at l. The label of f covers the seconds
    up to f + horizon_s, and f − 1 was calm, so from the end of second f + horizon_s on the storm
    shows in the trailing volatility too. The episode is *warned* if an alarm exists at some t with
    f − horizon_s ≤ t < f + horizon_s; its lead is f + horizon_s − t of the first such t, at most
    2 · horizon_s. Leads are measured only if row f − 1 exists. An alert starts with an alarm and
    includes all alarms of the next horizon_s seconds, so that a permanent alarm is many alerts; it
    is false if none of its alarms lies in f − horizon_s … l of an episode. Rows are `step_s`
    seconds apart (f − 1 then means the row before f), and an hour is 3,600 watched seconds.
    """
    seen_s: list[int] = []
    episodes = warned = alerts = false_alerts = rows = 0
    for watch in watches:
        alarm = watch.probability >= threshold
        lead_of = leads(watch.second[alarm], watch.episodes, horizon_s)
        for first, lead_s in zip(watch.episodes[:, 0].tolist(), lead_of.tolist(), strict=True):
            warned += lead_s > 0
            k = np.searchsorted(watch.second, first - step_s)
            if lead_s > 0 and k < len(watch.second) and watch.second[k] == first - step_s:
                seen_s.append(lead_s)
        raised, false = _alerts(watch.second, alarm, watch.episodes, horizon_s)
        alerts, false_alerts = alerts + raised, false_alerts + false
        episodes, rows = episodes + len(watch.episodes), rows + len(watch.second)
    p10, median, p90 = np.quantile(seen_s, [0.1, 0.5, 0.9]).tolist() if seen_s else (nan, nan, nan)
    return EpisodeReport(
        episodes=episodes,
        warned=warned,
        recall=warned / episodes if episodes else nan,
        lead_p10_s=p10,
        lead_median_s=median,
        lead_p90_s=p90,
        alerts=alerts,
        false_alerts=false_alerts,
        hours=rows * step_s / 3600,
        false_alarms_per_hour=false_alerts * 3600 / (rows * step_s) if rows else nan,
    )


def threshold_for_budget(
    watches: Sequence[WatchedRows],
    *,
    false_alarms_per_hour: float,
    horizon_s: int = 60,
    step_s: int = 1,
) -> float:
    """The lowest threshold that stays within the false-alarm budget on these rows.

    Pass validation rows, never test rows. Observed probabilities are tried from the highest down
    (at most 2,000, evenly by rank) until the budget is first exceeded; further down, merging alerts
    could appear to meet it again. If even the highest exceeds it, returns the next float above it.
    Raises TooLittleDataError without rows.
    """
    tried = np.unique(np.concatenate([[], *(watch.probability for watch in watches)]))[::-1]
    if len(tried) == 0:
        raise TooLittleDataError(
            "alarm threshold", "no validation rows", "some", "Give validation a share of the rows"
        )
    watched_s = step_s * sum(len(watch.second) for watch in watches)
    allowed = false_alarms_per_hour * watched_s / 3600
    chosen = float(np.nextafter(tried[0], np.inf))
    for threshold in tried[np.linspace(0, len(tried) - 1, min(len(tried), 2000)).astype(int)]:
        false = 0
        for watch in watches:
            alarm = watch.probability >= threshold
            false += _alerts(watch.second, alarm, watch.episodes, horizon_s)[1]
        if false > allowed:
            break
        chosen = float(threshold)
    return chosen


def leads(alarm: Int64, storms: Int64, horizon: int) -> Int64:
    """(m,) lead of the first alarm of each storm, as in `episode_report`; 0 for missed storms.

    alarm: (n,) increasing times of alarms; storms: (m, 2) as from `labels.episodes`; all in one
    unit.
    """
    first = storms[:, 0]
    known = np.append(alarm, np.iinfo(np.int64).max)[np.searchsorted(alarm, first - horizon)]
    lead: Int64 = np.where(known < first + horizon, first + horizon - known, 0)
    return lead


@compiled
def _alerts(second: Int64, alarm: Bool, episodes: Int64, horizon_s: int) -> tuple[int, int]:
    """(alerts, alerts that touch no episode)."""
    raised, touched, e = 0, 0, 0
    opened, touches = np.int64(0), False
    for k in range(len(second)):
        if not alarm[k]:
            continue
        if raised == 0 or second[k] >= opened + horizon_s:
            raised += 1
            opened, touches = second[k], False
        while e < len(episodes) and episodes[e, 1] < second[k]:
            e += 1
        if not touches and e < len(episodes) and second[k] >= episodes[e, 0] - horizon_s:
            touches = True
            touched += 1
    return raised, raised - touched
