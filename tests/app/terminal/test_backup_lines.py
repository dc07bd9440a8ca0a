"""How large a backup is, how long it took and of when it is."""

from barograph.app.runs.backup.restore import Restored
from barograph.app.runs.backup.take import BackedUp
from barograph.app.terminal.backup_lines import backed_up, restored
from barograph.app.terminal.terminal import text_of


def test_a_backup_says_how_large_each_part_is_and_how_long_it_took():
    shown = text_of(
        backed_up(
            BackedUp(
                directory="/srv/b", home="/srv/h", files=12, bytes=3_000_000, seconds=0.5,
                parts={"logs": 1_000_000, "archive": 2_000_000}, settings="",
            )
        )
    )  # fmt: skip
    assert "/srv/h backed up to /srv/b" in shown
    assert "12 files, 3.0 MB in 500 ms: logs 1.0 MB, archive 2.0 MB" in " ".join(shown.split())


def test_a_restore_says_of_when_and_where_the_settings_are():
    done = Restored(
        home="/srv/h", backup_time_ns=1_750_000_000 * 10**9, version="0.1.0", files=2, bytes=10**6,
        seconds=2.0, settings="/srv/h/barograph.toml",
    )  # fmt: skip
    shown = " ".join(text_of(restored(done)).split())
    assert "/srv/h restored as of 2025-06-15 15:06:40Z, by Barograph 0.1.0" in shown
    assert "its settings: /srv/h/barograph.toml" in shown
