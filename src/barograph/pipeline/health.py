"""Health: is a live log alive? The age of what came, lag in seconds, predictions and their model.

It judges a log that a live feed writes; a log that was replayed has no age that matters.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from barograph import codec
from barograph.cases.cold_start import COLD_START
from barograph.errors import OffsetGapError, RegistryError
from barograph.figures import duration
from barograph.log import Log, browse
from barograph.log.topics import PREDICTIONS, STATUS
from barograph.types import HOUR_NS, NS_PER_S, FeedStatus, Prediction, Verdict

MAX_AGE_S = 30.0
"""The oldest that the news of a live log may be, in seconds, unless something else is asked for."""

_STATUSES = 200
_PREDICTIONS = 500


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks against a live log: `problems`, each one a reason not to be ok, and `remarks`.

    `max_age_s` is null where ages are not judged: then nothing else here is. `champion` is the
    label of the model in charge. `prediction_age_s` is that of the newest prediction,
    `probability_age_s` of the newest with a probability; `verdicts` the newest of each product.
    `behind_s` is for how long the oldest record that each group has still to read has waited.
    """

    max_age_s: float | None = None
    champion: str | None = None
    prediction_age_s: float | None = None
    probability_age_s: float | None = None
    verdicts: dict[str, str] = {}
    behind_s: dict[str, float] = {}
    problems: list[str] = []
    remarks: list[str] = []


class Heard(NamedTuple):
    """What came at all: the newest receipt, and how long ago each product was heard, in seconds.

    products: None where the topic does not tell. watched_s: only what came in so many seconds.
    """

    now_ns: int
    newest_ns: int | None
    watched_s: float | None
    products: Mapping[str, float | None] | None


def newest_statuses(log: Log) -> list[FeedStatus]:
    """Return the latest status of each connection among the last records. The topic must exist."""
    # What cannot be read `check --topic ticks.status` counts.
    _, statuses, _ = codec.decode_status.all_of(browse.last(log, STATUS, _STATUSES))
    return list({status.connection: status for status in statuses}.values())


def health_of(  # noqa: PLR0913 - what was heard, and what it is judged by
    log: Log,
    heard: Heard,
    *,
    statuses: Sequence[FeedStatus],
    groups: Mapping[str, str],
    max_age_s: float | None,
    champion: Callable[[], str | None],
    predictions: str = PREDICTIONS,
    scorer: str = "scorer",
) -> Health:
    """Judge a log of a series, of the market where nothing else is named.

    groups: the topic that each group reads, of groups that ever committed. max_age_s: as in
    `check`. champion: returns the label of the champion; a registry that cannot be read is a
    problem. predictions, scorer: the topic of the predictions, and the group that makes them.
    """
    if max_age_s is None and statuses:
        max_age_s = MAX_AGE_S
    if not max_age_s:
        return Health()
    behind_s, late = waits(log, groups, heard.now_ns, max_age_s)
    problems = _silences(heard, statuses, max_age_s) + late
    label: str | None = None
    try:
        label = champion()
    except RegistryError as error:
        problems.append(str(error))
    known = Health(max_age_s=max_age_s, champion=label, behind_s=behind_s, problems=problems)
    if scorer not in groups or predictions not in {topic.name for topic in log.topics()}:
        return known
    return _with_predictions(log, predictions, known, heard.now_ns, _subscribed(statuses))


def waits(
    log: Log, groups: Mapping[str, str], now_ns: int, max_age_s: float
) -> tuple[dict[str, float], list[str]]:
    """For how long the oldest unread record of each group waits in seconds, and what is too long.

    groups: the topic that each reads. Groups without an unread record are left out.
    """
    behind_s = {
        group: wait_s
        for group, topic in groups.items()
        if (wait_s := _waits_s(log, group, topic, now_ns)) is not None
    }
    return behind_s, [
        f"{group} is behind: the oldest record that it has still to read waits for "
        f"{duration(wait_s)}, at most {duration(max_age_s)}"
        for group, wait_s in behind_s.items()
        if wait_s > max_age_s
    ]


def no_probability(verdicts: Collection[str], champion: str | None) -> str:
    """Why none of the newest predictions has a model; empty where one has, or there is none."""
    if not verdicts or not {Verdict.NO_MODEL, Verdict.MODEL_EXPIRED}.issuperset(verdicts):
        return ""
    if Verdict.MODEL_EXPIRED in verdicts:
        # A label is `case/version`; without one, the command is that of the default case.
        option = f" --case {champion.partition('/')[0]}" if champion else ""
        return f"the champion {champion} has expired: train again (`barograph train{option}`)"
    return "no champion, and the baseline has not learned enough: there is no probability"


def _silences(heard: Heard, statuses: Sequence[FeedStatus], max_age_s: float) -> list[str]:
    """What was not heard lately: everything, or some product."""
    limit = f"at most {duration(max_age_s)}"
    if heard.newest_ns is None:
        return [] if heard.watched_s is not None else ["nothing was ever received"]
    age_s = (heard.now_ns - heard.newest_ns) / NS_PER_S
    if age_s > max_age_s:
        return [f"nothing was received for {duration(age_s)}, {limit}"]
    if heard.products is None:
        return []
    ages = dict(heard.products)
    if heard.watched_s is None or heard.watched_s >= max_age_s:
        for product in _subscribed(statuses):
            ages.setdefault(product, None)
    return [
        f"{product}: nothing was received"
        + (f" for {duration(age)}, {limit}" if age is not None else "")
        for product, age in sorted(ages.items())
        if product in _subscribed(statuses) and (age is None or age > max_age_s)
    ]


def _subscribed(statuses: Sequence[FeedStatus]) -> set[str]:
    """The products of all connections that wrote a status in the last hour before the newest."""
    newest_ns = max((status.time_ns for status in statuses), default=0)
    recent = (each for each in statuses if each.time_ns >= newest_ns - HOUR_NS)
    return {product for status in recent for product in status.products}


def _waits_s(log: Log, group: str, topic: str, now_ns: int) -> float | None:
    """For how long the oldest record that a group has still to read has been in the log."""
    done = log.positions(group, topic)
    waits = []
    for extent in log.extents(topic):
        start = max(done.get(extent.partition, 0), extent.oldest)
        if start >= extent.next:
            continue
        try:
            waiting = log.read(topic, extent.partition, start, 1)
        except OffsetGapError:
            continue  # retention removed it meanwhile
        waits += [(now_ns - browse.appended_time_ns(record)) / NS_PER_S for record in waiting]
    return round(max(0.0, *waits), 3) if waits else None


def _with_predictions(
    log: Log, topic: str, known: Health, now_ns: int, subscribed: set[str]
) -> Health:
    """Add what the predictions say: how old they are, and whether there is a model at all."""
    last: dict[str, Prediction] = {}
    appended_ns: dict[str, int] = {}
    newest_ns = probability_ns = None
    # What cannot be read `check --topic ticks.predictions` counts.
    records, predictions, _ = codec.decode_prediction.all_of(browse.last(log, topic, _PREDICTIONS))
    for record, prediction in zip(records, predictions, strict=True):
        last[prediction.product] = prediction
        newest_ns = appended_ns[prediction.product] = browse.appended_time_ns(record)
        if prediction.probability is not None:
            probability_ns = newest_ns
    verdicts = {product: str(each.verdict) for product, each in sorted(last.items())}
    problems, remarks = [*known.problems], [*known.remarks]
    age_s = None if newest_ns is None else max(0.0, (now_ns - newest_ns) / NS_PER_S)
    limit_s = known.max_age_s or 0.0
    if age_s is None:
        problems.append("there is no prediction")
    elif age_s > limit_s:
        problems.append(f"no prediction for {duration(age_s)}, at most {duration(limit_s)}")
    else:
        problems += [
            f"{product}: no prediction for {duration(old_s)}, at most {duration(limit_s)}"
            for product, each_ns in sorted(appended_ns.items())
            if product in subscribed and (old_s := (now_ns - each_ns) / NS_PER_S) > limit_s
        ]
    if missing := no_probability(verdicts.values(), known.champion):
        problems.append(missing)
    elif known.champion is None and any(each.model == COLD_START for each in last.values()):
        remarks.append("no champion: the baseline predicts until a model is promoted")
    return msgspec.structs.replace(
        known,
        prediction_age_s=None if age_s is None else round(age_s, 3),
        probability_age_s=None
        if probability_ns is None
        else round(max(0.0, (now_ns - probability_ns) / NS_PER_S), 3),
        verdicts=verdicts,
        problems=problems,
        remarks=remarks,
    )
