"""Everything that watches a log, together: how long it runs, and what ends it."""

import threading
from contextlib import closing
from pathlib import Path

import pytest

from alert_records_made import messages
from barograph.app.alerting.watching import run
from barograph.app.settings import Settings
from barograph.cases.spikes import SPIKES
from barograph.errors import BarographError, RemovedError
from barograph.log import open_log
from notebook_sinks import Notebook, begun, now
from watched_series import with_topics


@pytest.mark.slow
def test_a_run_ends_by_time_and_says_what_was_sent(tmp_path):
    with_topics(tmp_path)
    sink, stop = Notebook(), threading.Event()
    settings = Settings(home=tmp_path, health_every_s=600)
    with closing(open_log(tmp_path)) as log:
        begun(tmp_path, sink, log)
        last = now(number=1)
        log.append(messages(last))
        done = run(settings, tmp_path, [SPIKES], [sink], stop, pytest.fail, seconds=3.0)
        stop.set()
        again = run(settings, tmp_path, [SPIKES], [sink], stop, pytest.fail)
    assert sink.keys == [last.key]
    assert done.sent["notebook"].delivered == 1
    assert again.seconds < done.seconds


@pytest.mark.slow
def test_a_log_that_is_removed_ends_it_in_one_line_and_none_is_made_in_its_place(tmp_path):
    with_topics(tmp_path)
    begun(tmp_path, Notebook(), log := open_log(tmp_path))
    log.close()
    settings = Settings(home=tmp_path, health_every_s=0.1)

    def remove():
        for path in filter(Path.is_file, tmp_path.glob("log.sqlite*")):
            path.unlink()

    threading.Timer(1.0, remove).start()
    with pytest.raises(RemovedError):
        run(settings, tmp_path, [SPIKES], [Notebook()], threading.Event(), pytest.fail, seconds=60)
    assert not (tmp_path / "log.sqlite").exists()


def test_who_can_watch_no_more_ends_the_run_with_the_reason(tmp_path):
    with_topics(tmp_path)
    (tmp_path / "log.sqlite-members").write_text("a file, where members write")
    warned = []
    settings = Settings(home=tmp_path)
    with pytest.raises(BarographError, match="members"):
        run(settings, tmp_path, [SPIKES], [], threading.Event(), warned.append, seconds=300)
    assert any("nobody watches any more" in line for line in warned)
