"""What an examination finds in a home: its disk, log, archive and models. Nothing is written."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shlex import quote

from barograph.app.runs.doctor.examination import LIMIT_S, Finding, ok, problem, refused, warning
from barograph.app.runs.doctor.network import answering, clock_off
from barograph.archive.book import address_in
from barograph.archive.inventory import inventory
from barograph.archive.recall import PRODUCER, compare
from barograph.errors import BarographError, LogUnavailableError
from barograph.figures import duration
from barograph.files.disk import check_room
from barograph.log import file_of, open_log
from barograph.log.integrity import damage_of
from barograph.log.topics import STATUS
from barograph.pipeline.health import newest_statuses
from barograph.registry.registry import Registry
from barograph.times import minute_of
from barograph.types import NS_PER_S

LEAST_BYTES = 64 << 20
LITTLE_BYTES = 1 << 30
"""A live market takes about a gigabyte a week."""

_LITTLE_INODES = 1000
_LATELY_NS = 600 * NS_PER_S


def place(home: Path) -> Iterator[Finding]:
    """Whether there is a home, can be written, and has room."""
    there = home.absolute()
    if not there.exists():
        cure = "`barograph demo` shows it at work; replay, feed and up make a home"
        yield warning("home", f"{there}: there is none yet", cure)
    elif there.is_dir():
        yield ok("home", str(there))
    else:
        yield problem("home", f"{there} is no directory", "Name another (`--home`)")
        return
    while not there.exists():
        there = there.parent
    try:
        check_room(home, LEAST_BYTES)
    except BarographError as error:
        yield refused("disk", error)
        return
    room = os.statvfs(there)
    free = room.f_frsize * room.f_bavail
    if free < LITTLE_BYTES:
        cure = f"Free some, or move the home (`--home`): {LITTLE_BYTES >> 30} GB last about a week"
        yield warning("disk", f"{free / 1e6:,.0f} MB are free", cure)
    elif room.f_files and room.f_favail < _LITTLE_INODES:
        yield warning("disk", f"{room.f_favail} inodes are left", "Remove some small files there")
    else:
        yield ok("disk", f"writable, {free / 1e9:,.1f} GB are free")


def log(home: Path, file: Path) -> Iterator[Finding]:
    """Whether the log's file is there and sound; a long one as far as the time allows."""
    if not file.exists():
        if (home / "archive").is_dir():
            cure = f"`barograph recover{_at(home)}`"
            yield problem("log", f"{file} is gone, and the archive is there", cure)
        return
    cure = (
        f"Move it away, and `barograph recover{_at(home)}` makes it again from the archive"
        if (home / "archive").is_dir()
        else "Restore it from a copy, or move it away and begin anew"
    )
    size = sum(each.stat().st_size for each in (file, _wal(file)) if each.exists())
    try:
        damage = damage_of(file, LIMIT_S * 0.8)
    except sqlite3.OperationalError as error:
        yield problem("log", f"{file} cannot be read ({error})", "Check its owner and rights")
        return
    if damage:
        yield problem("log", f"{file} is damaged: {damage}", cure)
        return
    written = max(each.stat().st_mtime for each in (file, _wal(file)) if each.exists())
    since = f"last written {duration(max(0.0, time.time() - written))} ago"
    read = "sound" if damage is not None else "sound as far as was read"
    yield ok("log", f"{read}, {size / 1e6:,.1f} MB, {since}")


def archive(home: Path) -> Iterator[Finding]:
    """What the manifests of the archive say, and whether a file is gone."""
    directory = home / "archive"
    if not directory.is_dir():
        return
    try:
        held = inventory(directory)
    except BarographError as error:
        yield refused("archive", error)
        return
    files = "1 file" if len(held.files) == 1 else f"{len(held.files):,} files"
    text = f"{files}, {held.bytes / 1e6:,.1f} MB, {held.ticks:,} ticks in those that have ended"
    yield ok("archive", f"{text}; `barograph archive verify` reads them all")


def recovery(home: Path, log: str) -> Iterator[Finding]:
    """Whether the archive has files that the log at an address does not know.

    Says nothing of a log that is not there or cannot be reached: other looks do.
    """
    directory, file = home / "archive", file_of(log)
    if not directory.is_dir() or (file is not None and not file.exists()):
        return
    try:
        opened = answering(log) if file is None else open_log(log)
        if opened is None:
            return
        with closing(opened):
            saved = opened.producer_checkpoints(PRODUCER, take=False)
            unknown = compare(directory, saved, address_in(directory, opened.address)).unknown
    except BarographError as error:
        if file is not None or not isinstance(error, LogUnavailableError):
            yield refused("archive and log", error)
        return
    if not unknown:
        yield ok("archive and log", "the log knows all that is archived")
        return
    files = "1 file that" if len(unknown) == 1 else f"{len(unknown):,} files that"
    own = file is not None and file.absolute() == (home / "log.sqlite").absolute()
    at = "" if own else f" --log {quote(log)}"
    yield warning(
        "archive and log",
        f"the archive has {files} the log does not know",
        f"Stop what feeds it, and `barograph recover{_at(home)}{at}`",
    )


def clock(log: str, venue: str, now_ns: int) -> Finding | None:
    """How our clock stands to a venue's by a live feed's frames; None without such a feed of late.

    A frame is under way for a while, so our clock seems faster than it is by some milliseconds.
    """
    file = file_of(log)
    if file is None or not file.exists():
        return None
    try:
        with closing(open_log(log)) as opened:
            if STATUS not in {topic.name for topic in opened.topics()}:
                return None
            statuses = newest_statuses(opened)
    except BarographError:
        return None  # the look at the log says so
    offsets_ms = [
        status.offset_median_ms
        for status in statuses
        if status.venue == venue
        and abs(now_ns - status.time_ns) < _LATELY_NS
        and status.offset_median_ms is not None
    ]
    if not offsets_ms:
        return None
    return clock_off(-offsets_ms[-1] / 1e3, f"the frames of {venue} in the log")


def models(
    home: Path, case: str, feature_set: str | None, registry: Registry | None = None
) -> Iterator[Finding]:
    """Whether a case has a champion that can be loaded and has not expired.

    registry: another than that under the home, which then need not be there.
    """
    if registry is None:
        if not home.is_dir():
            return
        registry = Registry(home)
    option = _at(home)
    named = "" if case == "spikes" else f" --case {quote(case)}"
    try:
        version = registry.champion_version(case)
        versions = registry.versions(case)
        if version is None:
            cure = (
                f"`barograph models promote {versions[-1].version}{named}{option}`"
                if versions
                else f"`barograph train --case {quote(case)}{option}`; `up` does it by itself"
            )
            yield warning("model", f"{case} has no champion", cure)
            return
        facts = registry.load(case, version, feature_set).facts
    except BarographError as error:
        yield refused("model", error)
        return
    label = f"{case}/{version}"
    if facts.expired(time.time_ns()):
        ended = minute_of(facts.expires_time_ns or 0)
        cure = f"`barograph train --case {quote(case)}{option}` on newer data"
        yield warning("model", f"champion {label} expired at {ended}Z", cure)
        return
    known = "; it is the last known one, its server gives no answer" if registry.problem else ""
    yield ok("model", f"champion {label} loads{known}")


def _wal(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def _at(home: Path) -> str:
    return f" --home {quote(str(home))}"
