"""How the models of a log fare live, by the predictions that it keeps and what came."""

from collections.abc import Iterator, Mapping

import msgspec

from barograph import codec
from barograph.cases.live_series import LiveSeries
from barograph.codec import UnreadableError
from barograph.evaluation.matured import LiveScores, Matured, Paired, compare, judge, mature
from barograph.log import Log, browse
from barograph.types import NS_PER_S, Prediction

_LAST = 100  # records among which there is one that can be read


class LiveReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a model fared as champion (`scored`), beside one (`shadowed`), and against the other.

    `paired` is of the present champion and candidate, if it is one of them. Null where the log has
    nothing of the kind.
    """

    scored: LiveScores | None
    shadowed: LiveScores | None
    paired: Paired | None


def matured(log: Log, topic: str, live: LiveSeries, *, since_ns: int = 0) -> dict[str, Matured]:
    """What `mature` makes of a topic of predictions, from those of `since_ns` of event time on.

    Reads all that is kept. Raises UnknownTopicError.
    """
    kept = (each for each in _kept(log, topic) if each.event_time_ns >= since_ns)
    return mature(kept, live.horizon_s, live.step_s)


def live_report(  # noqa: PLR0913 - which model, and of which predictions
    log: Log,
    live: LiveSeries,
    model: str,
    *,
    standing: Mapping[str, str],
    hours: int,
    trained_ns: int,
) -> LiveReport | None:
    """How `model` fared in the last hours of the predictions kept, after what it was trained on.

    standing: which models are "champion" and "candidate" now. None for a log that has no topic of
    the series' predictions.
    """
    topics = {live.predictions, live.shadow} & {topic.name for topic in log.topics()}
    if live.predictions not in topics:
        return None
    newest_ns = max((_newest_ns(log, topic) for topic in topics), default=0)
    since_ns = max(trained_ns, newest_ns - hours * 3600 * NS_PER_S)

    def of(topic: str) -> dict[str, Matured]:
        return matured(log, topic, live, since_ns=since_ns) if topic in topics else {}

    scored, shadowed = of(live.predictions), of(live.shadow)
    champion, candidate = standing.get("champion", ""), standing.get("candidate", "")
    paired = None
    if (
        champion != candidate
        and model in {champion, candidate}
        and champion in scored
        and candidate in shadowed
    ):
        paired = compare(champion, scored[champion], candidate, shadowed[candidate])
    return LiveReport(
        scored=judge(model, scored[model]) if model in scored else None,
        shadowed=judge(model, shadowed[model]) if model in shadowed else None,
        paired=paired,
    )


def _newest_ns(log: Log, topic: str) -> int:
    _, newest, _ = codec.decode_prediction.all_of(browse.last(log, topic, _LAST))
    return max((each.event_time_ns for each in newest), default=0)


def _kept(log: Log, topic: str) -> Iterator[Prediction]:
    for extent in log.extents(topic):
        for record in browse.upwards(log, topic, extent):
            try:
                prediction = codec.decode_prediction.of(record)
            except UnreadableError:
                continue  # `barograph check` counts those
            yield prediction
