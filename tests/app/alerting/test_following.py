"""Changes of alerts as they come."""

import threading
from contextlib import closing

from alert_records_made import alert, messages
from barograph.alert_records import Change
from barograph.app.alerting.following import changes
from barograph.log import open_log
from barograph.log.topics import ensure_alert_topics


def test_each_change_from_now_on_is_given_once_until_the_stop(tmp_path):
    stop = threading.Event()
    with closing(open_log(tmp_path)) as log:
        coming = changes(log, stop)

        def write():
            ensure_alert_topics(log)  # the topic comes with the first alert
            log.append(messages(alert(1), alert(1, Change.ENDED)))

        threading.Timer(0.3, write).start()
        assert [next(coming).change, next(coming).change] == [Change.BEGAN, Change.ENDED]
        stop.set()
        assert list(coming) == []
