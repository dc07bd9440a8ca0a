"""A home for notebooks: its topics as frames, its predictions as they come, its models."""

import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import Any, Self

import msgspec
import polars as pl

from barograph import codec
from barograph.cases.case import Case, live_of
from barograph.codec import UnreadableError
from barograph.errors import BadInputError
from barograph.feature_set.grid import FUTURE_NS
from barograph.library import arguments
from barograph.library.models import Model
from barograph.library.moments import Moment, moment_ns
from barograph.library.record_frames import Family, family_of, frame_of_words, time_ns
from barograph.library.ticks import Refused, Ticks
from barograph.library.topic_columns import family_of_topic, no_rows
from barograph.log import Extent, Log, browse, file_of, open_log
from barograph.log.topics import TICKS
from barograph.pipeline.alerts import PredictionAlerts, Series
from barograph.registry.registry import Alias, Registry
from barograph.registry.tracking_server import tracking_server
from barograph.types import LATEST_NS, Record, TopicPartition
from barograph.venues.entries import Rules

_ALIASES: dict[str, Alias] = {"champion": "champion", "candidate": "candidate"}
_NEWEST = 100
_AT_A_TIME = 1000
_WAIT_S = 1.0


def open_home(
    address: str | PathLike[str], *, home: str | PathLike[str] | None = None, registry: str = ""
) -> "Home":
    """Open a home, or a log, to read it; nothing is created or changed.

    address: the directory of a home, `sqlite:///path` or `kafka://host:port/namespace`.
    home: where the models are, for an address that is no home.
    registry: an MLflow server that keeps the models, as the setting `registry` names it; empty for
    `MLFLOW_TRACKING_URI`, or else the home's own.
    A home that was trained from files has models and no log: it opens too, and its topics are
    refused when they are asked for.
    Raises BadInputError where there is neither, and for what is no address.

    >>> with bg.open("H") as home:
    ...     predictions = home.read("ticks.predictions", since="5m")
    >>> predictions.columns[:3]
    ['product', 'second', 'event_time_ns']
    """
    text = arguments.address("address", address)
    home = None if home is None else arguments.address("home", home)
    if not isinstance(registry, str):
        raise BadInputError(
            f"registry={arguments.shown(registry)}", "it is no text", "Give an MLflow server's URL"
        )
    folder = Path(text) if "://" not in text else None
    if folder is not None and not folder.is_dir():
        raise BadInputError(
            str(folder.absolute()),
            "there is no such home",
            "Name another, or feed one first (`barograph replay FILE --home …`)",
        )
    opened = Home(text, Path(home) if home is not None else folder, registry)
    if folder is None or not (folder / "registry").is_dir():
        opened.topics  # noqa: B018 - refused here rather than at the first question
    return opened


class Home:
    """A home, or a log elsewhere with the models of a home; it is read and never written.

    Made by `open`.
    Use it in a `with` block, or `close` it. Not thread-safe.

    >>> home = bg.open("H")
    >>> "ticks.features" in home.topics
    True
    >>> home.model("champion")
    Model spikes/1 (har, 2 inputs)
    >>> next(home.follow("ticks.predictions", since="1h")).product
    'BTC-USD'
    >>> home.close()
    """

    def __init__(self, address: str, home: Path | None, registry: str) -> None:
        self._address, self._home, self._registry = address, home, registry
        self._opened: Log | None = None
        self._closed = False

    @property
    def topics(self) -> list[str]:
        """The names of the topics that its log has."""
        return [topic.name for topic in self._log.topics()]

    def read(
        self,
        topic: str,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        products: Collection[str] | None = None,
        case: str | Case | None = None,
    ) -> pl.DataFrame:
        """The records of a topic as a typed frame, in the order in which the log took them.

        since, until: records of event times from `since` on and before `until`; a duration ("1h")
        counts back from the newest record of the topic, and a time without a zone is UTC.
        products: only records of these keys.
        case: whose feature rows the topic has, where it is a case of your own.
        Columns are the fields of the records (docs/vocabulary.md), features under their names, also
        where no record is found; what cannot be read is left out with a warning that counts it.
        Raises UnknownTopicError, and BadInputError for what is no topic, moment, list of products
        or case, and where the home is closed.
        """
        words, family = [], None
        unread: Counter[str] = Counter()
        chosen = None if case is None else arguments.a_case(case)
        for record in self._records(topic, since, until, products):
            family = family or family_of(record)
            try:
                words.append(family.read.of(record))
            except UnreadableError as error:
                unread[error.detail] += 1
        if unread:
            first = next(iter(unread))
            warnings.warn(
                f"{sum(unread.values())} records of {topic} cannot be read: {first}", stacklevel=2
            )
        if words and family is not None:
            return frame_of_words(family, words, chosen)
        family = family or self._family(topic, chosen)
        return pl.DataFrame() if family is None else no_rows(topic, family, chosen)

    def _family(self, topic: str, case: Case | None) -> Family | None:
        """What the records of a topic are, also where it has none; None where nothing tells."""
        if (known := family_of_topic(topic, case)) is not None:
            return known
        last = browse.last(self._log, topic, 1)
        return family_of(last[0]) if last else None

    def ticks(
        self,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        products: Collection[str] | None = None,
    ) -> Ticks:
        """The events of `ticks.raw`, with the gaps that the feed wrote. Arguments as for `read`.

        `barograph.features` of all of them are the rows of `ticks.features`; where `since` leaves
        some out, windows that reach back before it are null (WARMUP).
        """
        places: dict[str, int] = {}
        numbers, refused = [], Refused()
        for record in self._records(TICKS, since, until, products):
            try:
                numbers.append(codec.decode_numbers.of(record))
            except UnreadableError as error:
                refused.add(codec.dead(record, error.fault, error.detail))
        events = codec.event_array(numbers, lambda product: places.setdefault(product, len(places)))
        return Ticks(events, places, silence_timeout_s=Rules().silence_timeout_s, refused=refused)

    def follow(
        self,
        topic: str,
        *,
        alerts: bool = False,
        since: Moment | None = None,
        products: Collection[str] | None = None,
        case: str | Case = "spikes",
    ) -> Iterator[Any]:
        """Yield the records of a topic as they come, without end, as words of `barograph.types`.

        alerts: of a topic of predictions, yield an `AlertRecord` for each change of an alert
        instead: it began, it ended, it was judged right or wrong (docs/alerts.md); `text` says it.
        since: begin with earlier records, as for `read`; None for those from now on.
        products: only records of these keys.
        case: whose predictions they are, for the words of alerts.
        Raises, as it is called, UnknownTopicError, and BadInputError as `read` does and for alerts
        of a topic that has no predictions of the case.
        """
        machine = PredictionAlerts(_series(topic, arguments.a_case(case))) if alerts else None
        wanted = arguments.names("products", products)
        extents = self._extents(topic)
        since_ns = None
        if since is not None:
            since_ns, _ = self._bounds(topic, since, None)
            extents = [self._from(topic, extent, since_ns) for extent in extents]
        starts = {
            TopicPartition(topic, each.partition): each.next if since is None else each.oldest
            for each in extents
        }
        return self._coming(starts, wanted, since_ns, machine)

    def _coming(
        self,
        starts: dict[TopicPartition, int],
        products: Collection[str] | None,
        since_ns: int | None,
        machine: PredictionAlerts | None,
    ) -> Iterator[Any]:
        """The records from there on, or the alerts that `machine` makes of them, as they come."""
        family: Family | None = None
        with closing(self._log.follow(starts)) as reader:
            while True:
                for record in reader.take(_AT_A_TIME, _WAIT_S):
                    if products is not None and record.key not in products:
                        continue
                    family = family or family_of(record)
                    word = family.read.of(record)
                    at_ns = time_ns(family, word)
                    if since_ns is not None and at_ns is not None and at_ns < since_ns:
                        continue
                    if machine is None:
                        yield word
                        continue
                    for _, value in machine.receive([record]).values:
                        yield codec.decode_alert(value)

    def model(self, which: str | int = "champion", *, case: str | Case = "spikes") -> Model:
        """A model of the registry: "champion", "candidate" or a version's number; verified.

        Raises RegistryError where there is none or it is damaged, and ForeignFeaturesError where it
        was made with another version of the features.
        """
        chosen = arguments.a_case(case)
        version = _ALIASES.get(str(which)) or (int(which) if str(which).isdecimal() else None)
        if version is None:
            raise BadInputError(
                f"model {which!r}", "it is no version", "Use champion, candidate or a number"
            )
        return Model(self._models().load(chosen.name, version, chosen.feature_set), chosen)

    @property
    def _log(self) -> Log:
        """The log, opened when it is first needed.

        Raises BadInputError where there is none, and once the home is closed.
        """
        if self._closed:
            raise BadInputError(
                f"home {self._address}", "it is closed",
                "Open it again (barograph.open), or read inside the `with` block",
            )  # fmt: skip
        if self._opened is None:
            file = file_of(self._address)
            if file is not None and not file.exists():
                raise BadInputError(
                    str(file.absolute()),
                    "there is no log",
                    "Feed one first (`barograph replay FILE --home …`)",
                )
            self._opened = open_log(self._address)
        return self._opened

    def _models(self) -> Registry:
        server = tracking_server(self._registry)
        if self._home is None:
            raise BadInputError(
                self._address,
                "its log has no home, and models are kept under one",
                "Name it (barograph.open(log, home=…))",
            )
        if server is None:
            return Registry(self._home)
        from barograph.registry.server import ServerStore  # noqa: PLC0415 - with all of HTTP

        return Registry(self._home, store=ServerStore(self._home, server))

    def _records(
        self,
        topic: str,
        since: Moment | None,
        until: Moment | None,
        products: Collection[str] | None,
    ) -> Iterator[Record]:
        """The records of a topic within both moments; those without a time by when they came."""
        wanted = arguments.names("products", products)
        whole = self._extents(topic)
        since_ns, until_ns = self._bounds(topic, since, until)
        family: Family | None = None
        everything = since is None and until is None
        extents = [self._from(topic, each, since_ns) for each in whole]
        for record in browse.merged(self._log, extents, topic):
            if wanted is not None and record.key not in wanted:
                continue
            if not everything:
                family = family or family_of(record)
                if not since_ns <= _time_of(record, family) < until_ns:
                    continue
            yield record

    def _extents(self, topic: object) -> list[Extent]:
        """What each partition of a topic holds. Raises BadInputError for what is no topic."""
        cure = "Name one of home.topics, such as ticks.predictions"
        return self._log.extents(arguments.text("topic", topic, cure))

    def _bounds(self, topic: str, since: Moment | None, until: Moment | None) -> tuple[int, int]:
        newest_ns = 0
        if isinstance(since, str) or isinstance(until, str):
            last = browse.last(self._log, topic, _NEWEST)
            newest_ns = max((_time_of(each, family_of(each)) for each in last), default=0)
        since_ns = 0 if since is None else moment_ns(since, "since", newest_ns)
        until_ns = LATEST_NS + 1 if until is None else moment_ns(until, "until", newest_ns)
        return since_ns, until_ns

    def _from(self, topic: str, extent: Extent, since_ns: int) -> Extent:
        """The extent without records that were taken too early to have happened since then.

        The log's clock is behind none of an event by more than a day (`grid.FUTURE_NS`).
        """
        low, high = extent.oldest, extent.next
        while high - low > _AT_A_TIME:
            middle = (low + high) // 2
            found = browse.page(self._log, topic, extent.partition, middle, 1)
            taken_ns = browse.appended_time_ns(found[0]) if found else LATEST_NS
            if 0 < taken_ns + FUTURE_NS < since_ns:
                low = middle
            else:
                high = middle
        return msgspec.structs.replace(extent, oldest=low)

    def close(self) -> None:
        """Close the log, which is not read any more then. Idempotent."""
        self._closed = True
        if self._opened is not None:
            self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Home({self._address!r})"


def _time_of(record: Record, family: Family) -> int:
    """When a record's word happened; when the log took it, where that is not told or unreadable."""
    if family.time:
        try:
            happened_ns = time_ns(family, family.read(record.value))
        except UnreadableError:
            happened_ns = None
        if happened_ns is not None:
            return happened_ns
    return browse.appended_time_ns(record)


def _series(topic: object, case: Case) -> Series:
    """What alerts say of a case. Raises BadInputError unless the topic has its predictions."""
    live, axis = live_of(case), case.outcome_axis
    if topic not in (live.predictions, live.shadow):
        raise BadInputError(
            f"alerts of {arguments.shown(topic)}",
            f"it has no predictions of case {case.name}",
            f"Follow {live.predictions} or {live.shadow}, or name the case (case='…')",
        )
    return Series(
        case=case.name,
        step_s=live.step_s,
        horizon_s=live.horizon_s,
        value=axis.name,
        unit=axis.unit,
        scale=axis.scale,
    )
