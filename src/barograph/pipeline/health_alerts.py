"""Alerts about health: a machine under the worker, from health samples to `alerts`."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from barograph import codec
from barograph.alert_records import AlertRecord, Change, HealthSample, identity
from barograph.codec import UNREADABLE, UnreadableError
from barograph.errors import ForeignStateError
from barograph.figures import duration
from barograph.foreign import one_line
from barograph.times import clock_of
from barograph.types import NS_PER_S, DeadLetter, Outcome, Record

MAX_EPISODES = 10_000
"""Conditions that are followed at once; of more of them none begins."""

_STATE = "health"
_PAUSE_NS = 60 * NS_PER_S
"""After a longer pause between two samples nothing is known to have lasted."""

_GONE_NS = 300 * NS_PER_S
"""A measure that is not known for so long is not measured any more."""


class HealthRule(msgspec.Struct, frozen=True, kw_only=True):
    """When a measure is an alert: from `limit` on, for `after_s` seconds.

    The alert ends when the measure stayed below `release` times the limit for `clear_s` seconds.
    `measure` is a name without its subject; each subject is watched for itself. `says` is what is
    wrong, in words; `unit` that of the measure, empty where its value says nothing.
    """

    name: str
    measure: str
    limit: float
    says: str
    unit: str = ""
    after_s: float = 0.0
    clear_s: float = 30.0
    release: float = 0.8

    def text(self, value: float) -> str:
        """A value of the measure with its unit."""
        return duration(value) if self.unit == "s" else f"{value:.3g} {self.unit}".rstrip()


class _Episode(msgspec.Struct):
    """A condition of one rule, source and subject: `since_ns` the limit is reached.

    `number` tells it from all others, whatever became of the clock. `began` once it is an alert.
    `calm_ns` is since when the measure is low again.
    """

    number: int
    since_ns: int
    peak: float
    last_ns: int
    began: bool = False
    calm_ns: int | None = None


class _State(msgspec.Struct):
    times_ns: dict[str, int]
    numbered: int
    episodes: list[tuple[str, str, str, _Episode]]


_Key = tuple[str, str, str]  # rule, source, subject


class HealthAlerts:
    """A machine: health samples in, AlertRecords out, keyed by their id. No clock, no I/O.

    Of each rule, source and subject there is one alert at a time: it begins once and ends once.
    A sample of a source that is not newer than its last one changes nothing, unless it is older by
    more than a minute: then the clock was set back.
    """

    def __init__(self, rules: Sequence[HealthRule]) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._by_measure = {rule.measure: rule for rule in rules}
        self._times_ns: dict[str, int] = {}
        self._numbered = 0
        self._episodes: dict[_Key, _Episode] = {}

    def receive(self, records: Sequence[Record]) -> Outcome:
        """Return a record for each change, and dead letters for what is no sample."""
        values: list[tuple[str, bytes]] = []
        dead_letters: list[DeadLetter] = []
        for record in records:
            try:
                sample = codec.decode_health.of(record)
            except UnreadableError as error:
                dead_letters.append(codec.dead(record, error.fault, error.detail))
                continue
            values += [(each.id, codec.encode(each)) for each in self.take(sample)]
        return Outcome(values, dead_letters)

    def take(self, sample: HealthSample) -> list[AlertRecord]:
        """Take the next sample; return what it began and ended, in order."""
        before_ns = self._times_ns.get(sample.source, 0)
        if before_ns - _PAUSE_NS <= sample.time_ns <= before_ns:
            return []
        if sample.time_ns < before_ns:
            self._set_back(sample)
        self._times_ns[sample.source] = sample.time_ns
        paused = not 0 < sample.time_ns - before_ns <= _PAUSE_NS
        changed: list[AlertRecord] = []
        for name, value in sample.measures.items():
            measure, _, subject = name.partition(":")
            rule = self._by_measure.get(measure)
            if rule is not None and value is not None:
                key = (rule.name, sample.source, subject[:200])
                taken = self._high if value >= rule.limit else self._low
                changed += taken(rule, key, value, sample.time_ns, paused=paused)
        return changed + list(self._gone(sample))

    def _high(
        self, rule: HealthRule, key: _Key, value: float, now_ns: int, *, paused: bool
    ) -> list[AlertRecord]:
        """Take a value that reaches the limit."""
        episode = self._episodes.get(key)
        if episode is None:
            if len(self._episodes) >= MAX_EPISODES:
                return []
            self._numbered += 1
            episode = self._episodes[key] = _Episode(self._numbered, now_ns, value, now_ns)
        elif paused and not episode.began:
            episode.since_ns = now_ns
        episode.peak, episode.last_ns = max(episode.peak, value), now_ns
        episode.calm_ns = None
        if episode.began or now_ns - episode.since_ns < rule.after_s * NS_PER_S:
            return []
        episode.began = True
        return [_record(rule, key, episode, Change.BEGAN, now_ns, value)]

    def _low(
        self, rule: HealthRule, key: _Key, value: float, now_ns: int, *, paused: bool
    ) -> list[AlertRecord]:
        """Take a value below the limit."""
        episode = self._episodes.get(key)
        if episode is None:
            return []
        if not episode.began:
            del self._episodes[key]
            return []
        episode.last_ns = now_ns
        if value >= rule.release * rule.limit:
            episode.calm_ns = None
            return []
        if episode.calm_ns is None or paused:
            episode.calm_ns = now_ns
        if now_ns - episode.calm_ns < rule.clear_s * NS_PER_S:
            return []
        del self._episodes[key]
        return [_record(rule, key, episode, Change.ENDED, now_ns, value)]

    def _set_back(self, sample: HealthSample) -> None:
        for (_, source, _), episode in self._episodes.items():
            if source == sample.source:
                episode.last_ns, episode.calm_ns = sample.time_ns, None

    def _gone(self, sample: HealthSample) -> Iterator[AlertRecord]:
        """End what this source does not measure any more."""
        for key, episode in list(self._episodes.items()):
            name, source, _ = key
            if source == sample.source and sample.time_ns - episode.last_ns > _GONE_NS:
                del self._episodes[key]
                rule = self._rules.get(name)
                if episode.began and rule is not None:
                    yield _record(rule, key, episode, Change.ENDED, sample.time_ns, None)

    def snapshot(self) -> dict[str, bytes]:
        """Return the whole state as one checkpoint."""
        episodes = [(*key, episode) for key, episode in self._episodes.items()]
        return {_STATE: msgspec.msgpack.encode(_State(self._times_ns, self._numbered, episodes))}

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Restore the state. Raises ForeignStateError for a damaged or foreign one."""
        for key, checkpoint in checkpoints.items():
            try:
                state = msgspec.msgpack.decode(checkpoint, type=_State)
            except UNREADABLE as error:
                raise ForeignStateError(key) from error
            self._times_ns, self._numbered = state.times_ns, state.numbered
            self._episodes = {(rule, source, on): each for rule, source, on, each in state.episodes}


def _record(  # noqa: PLR0913 - the parts of one change
    rule: HealthRule,
    key: _Key,
    episode: _Episode,
    change: Change,
    now_ns: int,
    value: float | None,
) -> AlertRecord:
    _, source, subject = key
    ended_ns = None
    if change is Change.ENDED:  # not before its start, whatever became of the clock
        ended_ns = max(episode.since_ns, episode.calm_ns or now_ns)
    of = f"{one_line(subject)}: " if subject else ""
    since = f"since {clock_of(episode.since_ns)} UTC"
    if change is Change.BEGAN:
        figures = ""
        if rule.unit and value is not None:
            figures = f" ({rule.text(value)}; the limit is {rule.text(rule.limit)})"
        text = f"{of}{rule.says}{figures}, {since}."
    else:
        lasted = duration(round(((ended_ns or now_ns) - episode.since_ns) / NS_PER_S))
        worst = f", at worst {rule.text(episode.peak)}" if rule.unit else ""
        how = "resolved" if value is not None else "not measured any more"
        text = f"{of}{how}: {rule.says}, {since}, for {lasted}{worst}."
    return AlertRecord(
        id=identity(rule.name, source, subject, episode.since_ns, episode.number),
        rule=rule.name,
        subject=subject,
        source=source,
        change=change,
        time_ns=now_ns,
        started_ns=episode.since_ns,
        ended_ns=ended_ns,
        text=text[:1000],
        value=value,
        limit=rule.limit,
        peak=episode.peak,
        why="" if change is Change.BEGAN or value is not None else "missing",
    )
