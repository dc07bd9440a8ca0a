"""Terminal output of `backup` and `restore`."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from barograph.app.terminal.terminal import plain
from barograph.figures import duration
from barograph.times import time_of

if TYPE_CHECKING:
    from barograph.app.runs.backup.restore import Restored
    from barograph.app.runs.backup.take import BackedUp


def backed_up(done: "BackedUp") -> RenderableType:
    """Where the backup lies, how large it is by part, and how long it took."""
    parts = ", ".join(f"{part} {size / 1e6:,.1f} MB" for part, size in done.parts.items())
    took = duration(done.seconds)
    return Group(
        plain(f"{done.home} backed up to {done.directory}"),
        plain(f"{done.files:,} files, {done.bytes / 1e6:,.1f} MB in {took}: {parts}"),
    )


def restored(done: "Restored") -> RenderableType:
    """What was restored, of when, and where the settings file lies."""
    lines = [
        f"{done.home} restored as of {time_of(done.backup_time_ns)}, by Barograph {done.version}",
        f"{done.files:,} files, {done.bytes / 1e6:,.1f} MB in {duration(done.seconds)}",
    ]
    if done.settings:
        lines.append(f"its settings: {done.settings}; copy that to where verbs are called")
    return Group(*map(plain, lines))
