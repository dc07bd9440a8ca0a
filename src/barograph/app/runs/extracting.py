"""Extracts of candles as verbs run them: services by name, files judged first, reports on disk."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import numpy as np

from barograph.app.reports import quality_page
from barograph.app.settings import Settings
from barograph.candle_records import HOUR_S, CandleSource
from barograph.errors import BadInputError
from barograph.evaluation.quality import Judged, Subject, as_numbers, judge
from barograph.evaluation.quality_report import QualityPolicy, QualityReport
from barograph.feed import candles
from barograph.feed.candle_client import CandleClient, Service
from barograph.feed.candle_file import read_candles
from barograph.feed.extracted import Extracted
from barograph.files.disk import declared, write_whole
from barograph.log import Log
from barograph.types import NS_PER_S
from barograph.venues import cryptocompare
from barograph.venues.coinbase import candles as coinbase

SERVICES: Mapping[CandleSource, Service] = {
    coinbase.NAME: coinbase,
    cryptocompare.NAME: cryptocompare,
}

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_key = re.compile(r"[!-~]{1,512}").fullmatch


class ServicePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Which hours of a product are taken from which service.

    `url` is its address where it is not its own, `key` an account's, empty for none. `until_s` is
    the Unix second of an hour's end, `recheck_hours` how many that are there are asked for again.
    `hold`: keep the answers only, for a later run to judge and write.
    """

    source: Literal["coinbase", "cryptocompare"]
    product: str
    hours: int
    until_s: int
    url: str = ""
    key: str = ""
    recheck_hours: int = 0
    hold: bool = False

    def __repr__(self) -> str:
        """Without the key."""
        return f"ServicePlan({self.source}, {self.product}, {self.hours} h to {self.until_s})"


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's report on a file, and where it was written as a page and as JSON."""

    page: str
    json: str
    report: QualityReport


def key_of(environment: Mapping[str, str], source: str, url: str) -> str:
    """The key for a service from the environment; empty where it needs none.

    Raises BadInputError where it is needed and not there, or could not be sent safely.
    """
    if source != cryptocompare.NAME:
        return ""
    key = environment.get(cryptocompare.KEY, "")
    if not key:
        if url:
            return ""
        raise BadInputError(
            cryptocompare.KEY,
            "it is not set, and this service asks for a key",
            "Set it in the environment, or use --source coinbase, which needs none",
        )
    if not _key(key):
        raise BadInputError(cryptocompare.KEY, "it is no key", "Copy it as the account shows it")
    parts = urlsplit(url or cryptocompare.URL)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise BadInputError(
            f"--url {url}", "a key is sent over TLS only", "Give an https address, or unset the key"
        )
    return key


def policy_of(settings: Settings) -> QualityPolicy:
    """What the settings allow."""
    return QualityPolicy(
        max_null_share=settings.quality_max_null_share,
        max_bad_share=settings.quality_max_bad_share,
        max_missing_share=settings.quality_max_missing_share,
        max_jump=settings.quality_max_jump,
        max_age_h=settings.quality_max_age_h,
        min_volume=settings.quality_min_volume,
    )


def judged_file(
    path: Path, product: str, policy: QualityPolicy, now_ns: int, until_s: int | None = None
) -> candles.JudgedFile:
    """A file of candles as the gate judges it at `now_ns`. Raises BadInputError as `read_candles`.

    until_s: leave out what ends after this Unix second, and judge as at that time.
    """
    table = read_candles(path, product, now_ns // NS_PER_S)
    frame = table.frame
    if until_s is not None:
        now_ns = until_s * NS_PER_S
        in_time = frame["start_s"].fill_null(0) + table.step_s <= until_s
        frame = frame.filter(in_time)
    subject = Subject(
        source=path.name, product=product, form=table.form, step_s=table.step_s, now_ns=now_ns
    )
    return candles.JudgedFile(
        path.name,
        table.step_s,
        table.unfinished,
        judge(frame, policy, subject),
        frame,
        len(table.frame) - len(frame),
    )


def from_files(
    log: Log, settings: Settings, files: Sequence[candles.JudgedFile], product: str
) -> list[Extracted]:
    """Bring files that passed the gate into the log, one after the other."""
    place = candles.Place(log, settings.home, policy_of(settings))
    return [candles.extract_file(place, file, product) for file in files]


def held_files(files: Sequence[candles.JudgedFile], product: str) -> list[Extracted]:
    """The answer for files that a later run judges and writes: nothing of any was written."""
    return [
        msgspec.structs.replace(
            _unwritten(file, product),
            hours=file.judged.report.rows,
            held=file.judged.report.rows,
            left_out={"later": file.later} if file.later else {},
        )
        for file in files
    ]


def refused_files(files: Sequence[candles.JudgedFile], product: str) -> list[Extracted]:
    """The answer for files of which one did not pass: nothing of any was written."""
    return [
        msgspec.structs.replace(
            _unwritten(file, product),
            bad=file.judged.report.rows - file.judged.report.good,
            passed=file.judged.report.passed,
            report=file.judged.report,
        )
        for file in files
    ]


def _unwritten(file: candles.JudgedFile, product: str) -> Extracted:
    report = file.judged.report
    return Extracted(
        source="file",
        product=product,
        until_s=(report.last_s or 0) + HOUR_S,
        form=report.form,
    )


def from_service(  # noqa: PLR0913 - what is brought where, and what a shell has
    log: Log,
    settings: Settings,
    plan: ServicePlan,
    *,
    wait: Callable[[float], object] = time.sleep,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda _done, _hours: None,
    random: Random | None = None,
) -> Extracted:
    """Bring the hours of a plan into the log; writes the gate's report. Raises as `extract`."""
    service = SERVICES[plan.source]
    base = plan.url or service.URL
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInputError(
            f"--url {base}", "it is no http or https address", "Give one as http://host:port"
        )
    client = CandleClient(
        service,
        base,
        plan.key,
        proxies=parts.hostname not in _LOOPBACK,
        wait=wait,
        stop=stop,
        random=random,
    )
    place = candles.Place(log, settings.home, policy_of(settings))
    asked = candles.ExtractPlan(
        product=plan.product,
        hours=plan.hours,
        until_s=plan.until_s,
        recheck_hours=plan.recheck_hours,
        hold=plan.hold,
    )
    return candles.extract(
        place,
        service,
        client,
        asked,
        reported=lambda judged, table: write_report(settings.home, judged, table),
        progress=progress,
    )


def report_paths(home: Path, report: QualityReport) -> tuple[Path, Path]:
    """Where the report on a source stands, as a page and as JSON."""
    name = re.sub(r"[^\w.-]", "_", f"{report.product}-{report.source}")[:150]
    folder = home / "reports" / "quality"
    return folder / f"{name}.html", folder / f"{name}.json"


def write_report(home: Path, judged: Judged, table: Any) -> Quality:  # noqa: ANN401 - of Polars, whose home is the gate
    """Write the gate's report on a table into a home. Raises DiskFullError, BadInputError."""
    numbers = as_numbers(table).filter(table["start_s"].is_not_null()).sort("start_s")
    columns = [numbers[name].to_numpy().astype(np.float64) for name in ("close", "volume")]
    text = quality_page.page(judged.report, numbers["start_s"].to_numpy(), *columns)
    page, json = report_paths(home, judged.report)
    with declared(page.parent, len(text)):
        page.parent.mkdir(parents=True, exist_ok=True)
    write_whole(json, msgspec.json.format(msgspec.json.encode(judged.report)))
    write_whole(page, text.encode())
    return Quality(page=str(page), json=str(json), report=judged.report)
