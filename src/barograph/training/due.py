"""Decide when a case is due for training, and let one process at a time train it."""

import fcntl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from barograph.archive.files import archive_files
from barograph.errors import BadInputError
from barograph.log import Log, browse
from barograph.registry.database import OWNER
from barograph.registry.registry import Registry
from barograph.times import time_of
from barograph.types import HOUR_NS

_LEAD_NS = HOUR_NS
"""How long before the champion expires a replacement is trained."""


class Due(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether a case is due for training, and why.

    Before the first training `rows` usable rows of `needed` are there; `in_s` is about how long it
    takes until there are so many, in seconds. `version` was trained the same way already.
    """

    due: bool
    why: str
    rows: int | None = None
    needed: int | None = None
    in_s: float | None = None
    version: int | None = None


class TrainingState(msgspec.Struct, frozen=True, kw_only=True):
    """The times that decide whether training is due, in Unix nanoseconds; None if there is none.

    `heard_ns`: the training data last grew; `trained_ns`: the newest version was created (both by
    this machine's clock); `expires_ns`: the champion expires (by the venue's clock).
    """

    heard_ns: int | None = None
    trained_ns: int | None = None
    expires_ns: int | None = None


def due(known: TrainingState, now_ns: int, every_h: float) -> Due:
    """Due if there is no version yet, and `every_h` hours after the newest version.

    Also due once in the hour before the champion expires, but not more often after that: each
    training uses up the rows of its gate, and the next gate would have too few. Never due with
    `every_h` 0 or without new data since the newest version.
    """
    heard_ns, trained_ns, expires_ns = known.heard_ns, known.trained_ns, known.expires_ns
    if not every_h:
        return Due(due=False, why="retrain_every_h is 0")
    if heard_ns is None:
        return Due(due=False, why="there is nothing to train on yet")
    if trained_ns is None:
        return Due(due=True, why="there is no version yet")
    if heard_ns <= trained_ns:
        return Due(
            due=False, why=f"there is no new data since the newest version of {time_of(trained_ns)}"
        )
    next_ns = trained_ns + int(every_h * HOUR_NS)
    why = f"the newest version is of {time_of(trained_ns)}"
    if expires_ns is not None and trained_ns < expires_ns - _LEAD_NS < next_ns:
        next_ns = expires_ns - _LEAD_NS
        why = f"the champion may be used until {time_of(expires_ns)}"
    if now_ns < next_ns:
        return Due(due=False, why=f"{why}, the next is due at {time_of(next_ns)}")
    return Due(due=True, why=why)


def training_state(registry: Registry, case: str, heard_ns: int | None) -> TrainingState:
    """Read a case's state from the registry. Raises RegistryError."""
    versions = registry.versions(case)
    champion = next((each for each in versions if "champion" in each.aliases), None)
    return TrainingState(
        heard_ns=heard_ns,
        trained_ns=versions[-1].time_ns("created_time_ns") if versions else None,
        expires_ns=champion.time_ns("expires_time_ns") if champion else None,
    )


def due_now(registry: Registry, case: str, heard_ns: int | None, every_h: float) -> Due:
    """Decide by the current time whether a case is due. Raises RegistryError."""
    return due(training_state(registry, case, heard_ns), time.time_ns(), every_h)


def newest_file_ns(paths: Iterable[Path]) -> int | None:
    """Latest modification time of the files in Unix nanoseconds; None without files."""
    grown_ns = []
    for path in paths:
        with suppress(FileNotFoundError):  # it may be removed meanwhile
            grown_ns.append(path.stat().st_mtime_ns)
    return max(grown_ns, default=None)


def newest_frame_ns(home: Path) -> int | None:
    """Time at which the archive of `home` last grew. Raises BadInputError if it is damaged."""
    return newest_file_ns(file.path for file in archive_files(home / "archive"))


def newest_record_ns(log: Log, topic: str) -> int | None:
    """Append time of a topic's last record, or None. Raises UnknownTopicError."""
    newest = browse.last(log, topic, 1)
    return browse.appended_time_ns(newest[0]) if newest else None


@contextmanager
def turn(home: Path, case: str) -> Iterator[bool]:
    """Yield whether this process may train the case now; holds the lock until the end."""
    folder = home / "datasets"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{case}.lock").open("wb")
    except OSError as error:
        raise BadInputError(str(folder), error.strerror or str(error), OWNER) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
