"""The lake in an object store, where readers of Parquet find it.

Files of an hour change while more of the archive is compacted, so they are replaced there. The
order is that of a compaction: the hours, the index, and `progress.json` last, so that what a killed
push left is read as what a killed compaction leaves.
"""

from pathlib import Path

import msgspec

from barograph.archive.compact import alone
from barograph.archive.lake import INDEX, PROGRESS, LakeProgress, read_progress
from barograph.archive.object_store import ObjectStore
from barograph.archive.pushed import LAKE
from barograph.codec import UNREADABLE
from barograph.errors import ObjectStoreError
from barograph.files.lines import file_sha256

_ELSEWHERE = "Push to another address, or from the home that made it"


class LakePushed(msgspec.Struct, frozen=True, kw_only=True):
    """What of a lake stands in a store: `files` that this run sent, `before` were there."""

    files: int
    before: int
    bytes: int


def push_lake(lake: Path, store: ObjectStore, known: dict[str, str]) -> LakePushed:
    """Push a lake; nobody compacts into it meanwhile.

    known: name → SHA-256 of what was proven to stand there, which is added to. Raises BadInputError
    while another compacts there; ObjectStoreError where the store cannot be used, or has a lake
    that is not an earlier one of this.
    """
    with alone(lake):
        listed = store.sizes(LAKE)
        _check_earlier(read_progress(lake), store, listed)
        hours = sorted(path.relative_to(lake).as_posix() for path in lake.rglob("hour=*.parquet"))
        files = size = before = 0
        for path in (*hours, INDEX, PROGRESS):
            source, name = lake / path, f"{LAKE}/{path}"
            if not source.exists():  # an older lake has no index
                continue
            digest, bytes_ = file_sha256(source), source.stat().st_size
            same_size = listed.get(name) == bytes_
            if same_size and (known.get(path) == digest or store.proves(name, digest, bytes_)):
                before += 1
            else:
                known.pop(path, None)
                store.put(source, name, digest)
                files, size = files + 1, size + bytes_
            known[path] = digest
    return LakePushed(files=files, before=before, bytes=size)


def _check_earlier(ours: LakeProgress, store: ObjectStore, listed: dict[str, int]) -> None:
    """Raise ObjectStoreError where the lake that stands there has files that ours has not."""
    name = f"{LAKE}/{PROGRESS}"
    if name not in listed:
        return
    try:
        theirs = msgspec.json.decode(store.read(name), type=LakeProgress)
    except UNREADABLE as error:
        why = f"it cannot be read ({error})"
        raise ObjectStoreError(store.of(name), why, "Remove it there, and push again") from error
    if theirs.files.items() - ours.files.items():
        raise ObjectStoreError(
            store.of(LAKE), "a lake of other files, or of more, stands there", _ELSEWHERE
        )
