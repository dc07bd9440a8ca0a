"""Threads of one process take turns often and are not stopped for garbage."""

import gc
import sys

from barograph.app import prompt_threads as module
from barograph.app.prompt_threads import prompt_threads
from waiting import until


def test_threads_take_turns_often_and_what_has_started_is_not_collected(monkeypatch):
    monkeypatch.setattr(module, "_STARTED_S", 0.0)
    before_s, frozen = sys.getswitchinterval(), gc.get_freeze_count()
    with prompt_threads():
        assert sys.getswitchinterval() < before_s
        until(lambda: gc.get_freeze_count() > frozen)
    assert sys.getswitchinterval() == before_s
    assert not gc.get_freeze_count()
