"""Whether a lake is what its progress says, and where one may be made."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import polars as pl

from barograph.archive.files import ArchiveFile, number_of
from barograph.archive.inventory import Damage
from barograph.archive.lake import (
    ELSEWHERE,
    INDEX,
    NUMBERED,
    PROGRESS,
    LakeProgress,
    read_index,
    read_progress,
)
from barograph.errors import BadInputError
from barograph.files.disk import declared, write_whole
from barograph.files.lines import file_sha256

HOURS = "product=*/date=*/hour=*.parquet"

_is_address = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/").match
_OWN = re.compile(r"product=.*|lock|\.parts-.*|" + re.escape(INDEX)).fullmatch
_FOLDER = "Name a folder that is new, or one that was compacted to before (default HOME/parquet)"


def refuse_unless_lake(out: Path, archive: Path) -> None:
    """Raise BadInputError for a place where no lake can be, or where others keep something."""
    what = f"--out {out}"
    if _is_address(str(out)):
        raise BadInputError(
            what,
            "it is an address, and files are compacted to a folder",
            "Leave it out, and copy what is compacted (`barograph archive push URL`)",
        )
    if out.exists() and not out.is_dir():
        raise BadInputError(what, "it is no folder", _FOLDER)
    lake, source = out.resolve(), archive.resolve()
    if lake == source or lake in source.parents or source in lake.parents:
        raise BadInputError(what, f"the archive is there ({source})", _FOLDER)
    if out.is_dir() and not (out / PROGRESS).exists():
        others = sorted(path.name for path in out.iterdir() if not _OWN(path.name))
        if others:
            raise BadInputError(what, f"something else is there ({others[0]})", _FOLDER)


def going_on(out: Path) -> LakeProgress:
    """How far a lake is; one that is not begun is begun.

    Raises BadInputError where that cannot be read, or is lost beside events; DiskFullError.
    """
    done, path = read_progress(out), out / PROGRESS
    if done.files or (path.exists() and done.form >= NUMBERED):
        return done
    if next(out.glob(HOURS), None) is not None:
        raise BadInputError(
            str(path),
            "it says nothing, and there are events beside it",
            ELSEWHERE,
        )
    return _begun(out)


def damage_in(out: Path, done: LakeProgress) -> str:
    """What a lake has lost, in words; empty where every file is there with its length."""
    if done.form < NUMBERED:
        return ""
    if not done.files:
        return "it was interrupted at its first file" if next(out.glob(HOURS), None) else ""
    try:
        index = read_index(out)
    except BadInputError as error:
        return str(error)
    for product, count in done.events.items():
        of_product = index.filter(pl.col("product") == product).sort("first")
        if count and not _is_covered(of_product, count):
            return f"{out / INDEX} has not all events of {product}"
    return _lost_file(out, index)


def _lost_file(out: Path, index: pl.DataFrame) -> str:
    for path, size in index.select("path", "bytes").iter_rows():
        try:
            there = (out / path).stat().st_size
        except FileNotFoundError:
            return f"{out / path} is gone"
        if size not in {None, there}:
            return f"{out / path} has {there:,} bytes, and had {size:,}"
    return ""


def _is_covered(index: pl.DataFrame, count: int) -> bool:
    """Whether the files of a product, by their first event, leave none out up to `count`."""
    end = 0
    for first, last in index.select("first", "last").iter_rows():
        if first > end:
            return False
        end = max(end, last + 1)
    return end >= count


def outdated(files: Sequence[ArchiveFile], done: LakeProgress) -> str:
    """Why a lake lacks events that its archive has again, in words; empty where it does not."""
    last = max(map(number_of, done.files), default=0)
    for file in files:
        name, manifest = file.path.name, file.manifest
        if file.there and name not in done.files and file.number < last:
            return f"{name} was not there when later files were compacted"
        if name not in done.files or manifest is None or not _was_damaged(file, done):
            continue
        # An older version kept the manifest's hash, whatever the file was.
        is_of_older = done.files[name] == manifest.sha256
        if is_of_older or file_sha256(file.path) != done.files[name]:
            return f"{name} was damaged when it was compacted, and is another file now"
    return ""


def _was_damaged(file: ArchiveFile, done: LakeProgress) -> bool:
    name, manifest = file.path.name, file.manifest
    if not file.there or manifest is None or name not in map(_name, done.unreadable):
        return False
    return done.files[name] != manifest.sha256 or not manifest.unreadable


def _name(path: str) -> str:
    return Path(path).name


def damaged_files(files: Sequence[ArchiveFile], done: LakeProgress) -> list[Damage]:
    """The archive's files of which a lake has not all events, and why."""
    whys = {_name(path): why for path, why in done.unreadable.items()}
    damaged = []
    for file in files:
        name = file.path.name
        if not file.there and name not in done.files:
            damaged.append(Damage(file=name, why="it is gone, and was not compacted"))
        elif name in done.files and _was_damaged(file, done):
            damaged.append(Damage(file=name, why=whys[name]))
    return damaged


def made_anew(
    out: Path, files: Sequence[ArchiveFile], done: LakeProgress, why: str
) -> LakeProgress:
    """Begin a lake again. Raises BadInputError where the archive has not all that it has."""
    there = {file.path.name for file in files if file.there}
    if gone := sorted(done.files.keys() - there):
        raise BadInputError(
            str(out),
            f"{why}; it cannot be made anew, for {gone[0]} is gone from the archive",
            "Restore it from a copy, or bring the archive's files back (`barograph archive pull "
            "URL`) and compact again",
        )
    fresh = _begun(out)
    with declared(out):
        (out / INDEX).unlink(missing_ok=True)
        for folder in out.glob("product=*"):
            shutil.rmtree(folder)
    return fresh


def _begun(out: Path) -> LakeProgress:
    done = LakeProgress(form=NUMBERED)
    write_whole(out / PROGRESS, msgspec.json.encode(done))
    return done
