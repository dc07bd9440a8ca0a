"""A process that makes alerts of a log and posts them to a webhook, until it is killed."""

import threading

from barograph.app.alerting.sender import SendingPlan
from barograph.app.alerting.senders import Senders
from barograph.app.alerting.webhook import Webhook
from barograph.pipeline.alert_workers import AlertWorkers
from verb_processes import WARM, begin
from watched_series import plan

SECRET = b"s3cret"


def sending_plan(address, **more):
    """With pauses that a test has time for."""
    return SendingPlan(**{"address": address, "give_up_s": 600.0, "first_s": 0.05, "cap_s": 0.5,
                          **more})  # fmt: skip


class Watcher(WARM.Process):
    """Workers and a sender on a log, begun; they end with a SIGKILL."""

    def __init__(self, address, url):
        super().__init__(daemon=True)
        self._address, self._url = address, url
        begin(self)

    def run(self):
        """In the child."""
        warn = print
        with (
            AlertWorkers(plan(self._address), warn),
            Senders([Webhook(self._url, SECRET)], sending_plan(self._address), warn),
        ):
            threading.Event().wait()
