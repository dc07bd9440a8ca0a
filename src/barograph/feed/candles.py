"""Extract: hours of a market from a service or a file into the log, each once.

1.  What is there is read from the log: the newest version of each hour of the product.
2.  Missing hours are asked for in pages, the oldest first; each begins with the last hour that is
    there, which shows a revision, and whether the page is of the same market. An answer is kept as
    it came before anything of it goes into the log, and one that is kept is not asked for again.
3.  Each page is judged by the quality gate; after one that fails nothing more goes into the log.
4.  What is new of a page is appended in one step with the mark of the page. Hours of which a
    service says nothing are missing; where it leaves out hours without a trade they are empty, as
    soon as a later one is there.

So a run that was killed and started again leaves what one leaves that was not.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from barograph.archive.candles import AnswerFacts, CandleArchive
from barograph.candle_records import HOUR_S, Candle, CandleSource
from barograph.codec import encode
from barograph.evaluation.quality import Judged, Subject, judge, merged
from barograph.evaluation.quality_report import QualityPolicy
from barograph.feed.candle_client import CandleClient, Service, StoppedError
from barograph.feed.candle_hours import candle_of, hours_of, rows_of, table_of
from barograph.feed.extracted import Extracted
from barograph.feed.known_candles import KnownCandles
from barograph.log import Log
from barograph.log.topics import CANDLES, ensure_candle_topics
from barograph.types import NS_PER_S, Message
from barograph.venues.candle_pages import CandlePage, CandleRow, Hours, PageError

SETTLE_S = 60
"""A candle is asked for so long after its end: services finish it a little later."""

MAX_NAMED = 20
"""Revised and differing hours that are named one by one."""

MAX_RUNS = 50
"""Stretches of missing hours that one run asks for, the newest ones: a service may never have them.
"""

_AT_ONCE = 2000


class ExtractPlan(msgspec.Struct, frozen=True, kw_only=True):
    """So many hours of a product before `until_s`, the Unix second of an hour's end.

    recheck_hours: so many of those that are there are asked for again, to see revisions.
    hold: keep the answers only, for a later run to judge and write.
    """

    product: str
    hours: int
    until_s: int
    recheck_hours: int = 0
    hold: bool = False


class Place(NamedTuple):
    """Where an extract writes, a log and a home, and the policy of the gate before it."""

    log: Log
    home: Path
    policy: QualityPolicy


class JudgedFile(NamedTuple):
    """A file's candles: its name, their step in seconds, what the gate says, and the table.

    `unfinished` ones had not ended, `later` ones end after the time that was asked for.
    """

    name: str
    step_s: int
    unfinished: int
    judged: Judged
    table: Any  # of Polars, whose home is the gate
    later: int = 0


class _Mark(msgspec.Struct):
    """How far a run with a service came: the `pages` that stand in the log, as from and to.

    `silent` hours were asked for and not answered: they are empty once a later one is there.
    """

    source: str
    until_s: int
    pages: list[tuple[int, int]] = []
    silent: list[int] = []


_decode_mark = msgspec.json.Decoder(_Mark).decode
_MARK = "pages"


def last_end_s(now_ns: int) -> int:
    """The end of the last hour that services have finished, in Unix seconds."""
    return (now_ns // NS_PER_S - SETTLE_S) // HOUR_S * HOUR_S


def extract(  # noqa: PLR0913 - what is brought where, and who hears of it
    place: Place,
    service: Service,
    client: CandleClient,
    plan: ExtractPlan,
    *,
    reported: Callable[[Judged, Any], object] = lambda _judged, _table: None,
    progress: Callable[[int, int], None] = lambda _done, _hours: None,
) -> Extracted:
    """Bring the hours of a plan from a service into the log.

    reported: called with what the gate says of all pages, or of the one that it stopped, and their
    table. progress: called with the hours that are there, and those wanted, after each page.
    Raises BadInputError where the service answers with nothing of use, ReplacedProducerError where
    another extract of the product starts, and what the log and the disk raise.
    """
    writer = _Writer(place, service.NAME, plan.product, plan.until_s)
    first_s = plan.until_s - plan.hours * HOUR_S
    wanted = set(range(first_s, plan.until_s, HOUR_S))
    done = writer.done
    done.hours = plan.hours
    done.there = len(wanted & writer.known.by_hour.keys())
    pages = _Pages(writer, service, client, plan)
    try:
        for hours in _spans(wanted - pages.asked(), writer.known, service.PAGE_HOURS):
            if plan.hold:
                pages.hold(hours)
            elif not pages.take(hours):
                break
            progress(len(wanted & writer.known.by_hour.keys()), plan.hours)
    except StoppedError:
        done.stopped = True
    done.requests, done.failures = client.requests, dict(client.failures)
    done.missing = len(wanted - writer.known.by_hour.keys())
    if pages.tables:
        table = pages.tables[-1] if not done.passed else merged(pages.tables)
        judged = pages.judged(table)
        done.report = judged.report
        reported(judged, table)
    return done


def extract_file(place: Place, file: JudgedFile, product: str) -> Extracted:
    """Bring the hours of a file that passed the gate into the log.

    Raises ReplacedProducerError where another extract of the product starts, and what the log
    raises.
    """
    rows = rows_of(file.judged.good)
    if file.step_s == HOUR_S:
        hours: list[tuple[CandleRow, float | None]] = [(row, None) for row in rows]
    else:
        hours = list(hours_of(rows, file.step_s))
    until_s = hours[-1][0].start_s + HOUR_S if hours else 0
    writer = _Writer(place, "file", product, until_s)
    done, report = writer.done, file.judged.report
    done.form, done.report, done.hours = report.form, report, len(hours)
    done.bad = report.rows - report.good
    left_out = {"unfinished": file.unfinished, "later": file.later}
    done.left_out |= {name: count for name, count in left_out.items() if count}
    if hours:
        done.missing = (until_s - hours[0][0].start_s) // HOUR_S - len(hours)
    candles = [candle_of(row, product, "file", realized_vol=vol) for row, vol in hours]
    done.there = sum(candle.start_s in writer.known.by_hour for candle in candles)
    for start in range(0, len(candles), _AT_ONCE):
        writer.write(candles[start : start + _AT_ONCE])
    return done


class _Writer:
    """Compares candles of a product with the log, and appends what is new."""

    def __init__(self, place: Place, source: CandleSource, product: str, until_s: int) -> None:
        ensure_candle_topics(place.log)
        self.place, self._producer = place, f"extract.{product}"
        # Claimed before the log is read: another extract of the product writes nothing after that.
        self.checkpoints = place.log.producer_checkpoints(self._producer)
        self.known = KnownCandles(place.log, product)
        self.done = Extracted(source=source, product=product, until_s=until_s)

    def write(self, candles: Sequence[Candle], mark: _Mark | None = None) -> None:
        """Append what is new of these first versions, ascending, and a mark, in one step."""
        news, done = self.known.news(candles), self.done
        messages = [Message(CANDLES, each.product, encode(each)) for each in news.candles]
        marks = {} if mark is None else {_MARK: msgspec.json.encode(mark)}
        if messages or marks:
            self.place.log.append(messages, producer=self._producer, checkpoints=marks)
        self.known.take(news.candles)
        done.new += news.new
        done.late += news.late
        done.kept += news.kept
        done.revised += len(news.revised)
        done.first_revised += news.revised[: MAX_NAMED - len(done.first_revised)]
        differing = [each for each in news.checks if each.differences]
        done.own += len(news.checks)
        done.differing += len(differing)
        done.first_differing += differing[: MAX_NAMED - len(done.first_differing)]
        done.empty += sum(each.open is None and each.version == 1 for each in news.candles)


class _Pages:
    """The pages of a run with a service: from the archive or asked for, judged and written."""

    def __init__(
        self, writer: _Writer, service: Service, client: CandleClient, plan: ExtractPlan
    ) -> None:
        self._writer, self._service, self._client, self._plan = writer, service, client, plan
        self._archive = CandleArchive(writer.place.home, service.NAME, plan.product, plan.until_s)
        self._mark = _Mark(source=service.NAME, until_s=plan.until_s)
        if content := writer.checkpoints.get(_MARK):
            mark = _decode_mark(content)
            if (mark.source, mark.until_s) == (service.NAME, plan.until_s):
                self._mark = mark
        self.tables: list[Any] = []  # of Polars, whose home is the gate
        self._newest = False

    def asked(self) -> set[int]:
        """The hours that need not be asked for: known, or answered up to the plan's end."""
        known = self._writer.known.by_hour
        recheck_s = self._plan.until_s - self._plan.recheck_hours * HOUR_S
        hours = {start_s for start_s in known if start_s < recheck_s}
        for page in self._mark.pages:
            hours.update(range(*page, HOUR_S))
        return hours

    def take(self, hours: Hours) -> bool:
        """Bring one page into the log; False where the gate stopped it. Raises StoppedError."""
        page, receive_time_ns = self._page(hours)
        self._count(page)
        rows = self._with_silent(page, hours)
        candles: list[Candle] = []
        if rows:
            self.tables.append(table_of(rows))
            self._newest = hours.to_s == self._plan.until_s
            judged = self.judged(self.tables[-1])
            if not judged.report.passed:
                self._writer.done.passed = False
                return False
            self._writer.done.bad += judged.report.rows - judged.report.good
            candles = [self._candle(row, receive_time_ns) for row in rows_of(judged.good)]
        self._mark.pages.append((hours.from_s, hours.to_s))
        self._writer.write(candles, self._mark)
        return True

    def hold(self, hours: Hours) -> None:
        """Keep one page's answer, without a judgement. Raises StoppedError."""
        page, receive_time_ns = self._page(hours)
        self._count(page)
        candles = [self._candle(row, receive_time_ns) for row in page.rows if row.close is not None]
        known = self._writer.known
        self._writer.done.held += sum(each.start_s not in known.by_hour for each in candles)
        known.take(candles)  # so that the next page begins where that of a run that writes does

    def check(self, page: CandlePage) -> None:
        """Raise PageError for a page whose known hours have quite other prices."""
        most = self._writer.place.policy.max_jump
        for row in page.rows:
            known = self._writer.known.by_hour.get(row.start_s)
            if known is None or known.close is None or row.close is None:
                continue
            if known.source != self._service.NAME or float(row.close) <= 0:
                continue
            if abs(math.log(float(row.close) / float(known.close))) > most:
                raise PageError(
                    f"its close of the hour {row.start_s} is {row.close}, and was {known.close}: "
                    "another market or currency"
                )

    def _page(self, hours: Hours) -> tuple[CandlePage, int]:
        kept = self._archive.find(hours)
        if kept is not None:
            self._writer.done.reused += 1
            return self._service.read(kept.body, hours), kept.facts.receive_time_ns
        product = self._plan.product
        fetched = self._client.page(product, hours, self.check)
        facts = AnswerFacts(
            source=self._service.NAME,
            product=product,
            from_s=hours.from_s,
            to_s=hours.to_s,
            until_s=self._plan.until_s,
            url=self._client.url(product, hours),
            receive_time_ns=fetched.receive_time_ns,
        )
        self._archive.keep(facts, fetched.body)
        return fetched.page, fetched.receive_time_ns

    def _count(self, page: CandlePage) -> None:
        counts = Counter(self._writer.done.left_out)
        counts["pages out of order"] += page.reordered
        counts["repeated"] += page.repeated
        counts["outside"] += page.outside
        counts["unlisted"] += page.unlisted
        self._writer.done.left_out = {name: count for name, count in counts.items() if count}

    def _with_silent(self, page: CandlePage, hours: Hours) -> list[CandleRow]:
        """The page's rows with those hours that are known now to have had no trade."""
        if not self._service.LEAVES_OUT_EMPTY:
            return list(page.rows)
        known = self._writer.known.by_hour
        answered = {row.start_s for row in page.rows}
        if not answered:
            silent = {*self._mark.silent, *range(*hours, HOUR_S)} - known.keys()
            self._mark.silent = sorted(silent)
            return []
        first_s = min(min(known, default=page.rows[0].start_s), page.rows[0].start_s)
        silent = {*self._mark.silent, *range(*hours, HOUR_S)} - answered - known.keys()
        empty = sorted(each for each in silent if first_s < each < page.rows[-1].start_s)
        self._mark.silent = sorted(each for each in silent if each > page.rows[-1].start_s)
        rows = [_empty(start_s) for start_s in empty] + list(page.rows)
        return sorted(rows, key=lambda row: row.start_s)

    def judged(self, table: Any) -> Judged:  # noqa: ANN401 - of Polars, whose home is the gate
        """What the gate says of rows up to the plan's end; only the newest page may be too old."""
        subject = Subject(
            source=self._service.NAME,
            product=self._plan.product,
            form="REST",
            step_s=HOUR_S,
            now_ns=self._plan.until_s * NS_PER_S,
        )
        policy = replace(self._writer.place.policy, age_stops=self._newest)
        return judge(table, policy, subject)

    def _candle(self, row: CandleRow, receive_time_ns: int) -> Candle:
        # Of an hour that was asked for long after its end the time of the answer says nothing.
        live = receive_time_ns - (row.start_s + HOUR_S) * NS_PER_S < HOUR_S * NS_PER_S
        return candle_of(
            row,
            self._plan.product,
            self._service.NAME,
            receive_time_ns=receive_time_ns if live else None,
        )


def _spans(asked: set[int], known: KnownCandles, page_hours: int) -> Iterator[Hours]:
    """Pages for all of these hours, ascending, each with the hour before it where that is known."""
    runs: list[list[int]] = []
    for start_s in sorted(asked):
        if runs and start_s == runs[-1][1]:
            runs[-1][1] += HOUR_S
        else:
            runs.append([start_s, start_s + HOUR_S])
    for from_s, to_s in runs[-MAX_RUNS:]:
        next_s = from_s
        while next_s < to_s:
            first_s = next_s - HOUR_S if next_s - HOUR_S in known.by_hour else next_s
            last_s = min(first_s + page_hours * HOUR_S, to_s)
            yield Hours(first_s, last_s)
            next_s = last_s


def _empty(start_s: int) -> CandleRow:
    return CandleRow(start_s=start_s, open=None, high=None, low=None, close=None, volume="0")
