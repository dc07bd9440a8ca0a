"""Terminal output of `barograph settings`."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table

from barograph.app.settings import SettingInForce
from barograph.app.terminal.terminal import plain


def table(settings: Sequence[SettingInForce]) -> RenderableType:
    """A row for each setting: its name, its value, and what set it."""
    known = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for setting in settings:
        where = f"{setting.source}: {setting.where}" if setting.where else setting.source
        known.add_row(setting.name, plain(str(setting.value)), plain(where))
    return known
