"""Terminal output of `archive push` and `archive pull`.

Addresses and names come from outside: they are shown as plain text, never as markup.
"""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from barograph.app.terminal.terminal import plain

if TYPE_CHECKING:
    from barograph.archive.pull import Pulled
    from barograph.archive.push import Pushed

_CURES = {
    "it is not compacted": "`barograph archive compact`",
    "the log does not have it": "`barograph recover`",
}


def pushed(done: "Pushed") -> RenderableType:
    """What was sent and was there, what was removed here, and why the rest was not."""
    lines = [_moved("sent to", done, "there")]
    if done.lake is not None:
        sent = f"{done.lake.files:,} ({done.lake.bytes / 1e6:,.1f} MB) sent"
        lines.append(f"of the lake: {sent}, {_were(done.lake.before)} there already")
    if done.open:
        lines.append(f"not sent, still open: {', '.join(done.open)}")
    if done.without_manifest:
        lines.append(f"not sent, without manifest: {', '.join(done.without_manifest)}")
    if done.removed:
        lines.append(
            f"{_files(done.removed)} removed here: `barograph archive pull {done.url}` brings them "
            "back"
        )
    for why in sorted(set(done.kept.values())):
        names = [name for name, reason in done.kept.items() if reason == why]
        cure = f": {_CURES[why]} first" if why in _CURES else ""
        lines.append(f"{_files(names)} kept, {why}{cure}")
    if done.lost:
        lines.append(
            f"lost: {', '.join(done.lost)}: pushed and removed here, and no longer there. Restore "
            "the objects from a version or copy of the bucket"
        )
    return Group(*map(plain, lines))


def pulled(done: "Pulled") -> RenderableType:
    """What came back, and what was here."""
    return plain(_moved("brought back from", done, "here"))


def _moved(how: str, done: "Pushed | Pulled", where: str) -> str:
    if not done.files:
        return f"nothing {how} {done.url}: {_count(done.before)} {where} already"
    size = f"{done.bytes / 1e6:,.1f} MB"
    files = "file" if done.files == 1 else "files"
    return f"{done.files:,} {files} ({size}) {how} {done.url}, {_were(done.before)} {where} already"


def _count(files: int) -> str:
    return f"{files:,} {'file was' if files == 1 else 'files were'}"


def _were(files: int) -> str:
    return f"{files:,} {'was' if files == 1 else 'were'}"


def _files(names: list[str]) -> str:
    return f"{len(names):,} {'file' if len(names) == 1 else 'files'}"
