"""Marks of what was begun outlive a process, and are forgotten when it is done."""

from contextlib import closing

import pytest

from barograph.app.alerting.marks import Marks
from barograph.errors import ReplacedProducerError
from barograph.log import open_log


def test_a_mark_is_there_after_a_restart_and_gone_once_it_is_settled(tmp_path):
    with closing(open_log(tmp_path)) as log:
        marks = Marks(log, "hook")
        assert marks.count("a") == 0
        marks.mark("a", 1)
        marks.mark("b", 2)
    with closing(open_log(tmp_path)) as log:
        marks = Marks(log, "hook")
        assert (marks.count("a"), marks.count("b")) == (1, 2)
        assert Marks(log, "other").count("a") == 0
        marks.settle()
        marks.mark("c", 1)
    with closing(open_log(tmp_path)) as log:
        marks = Marks(log, "hook")
        assert [marks.count(key) for key in "abc"] == [0, 0, 1]


def test_marks_that_another_process_took_cannot_be_changed_any_more(tmp_path):
    with closing(open_log(tmp_path)) as one, closing(open_log(tmp_path)) as other:
        earlier = Marks(one, "hook")
        Marks(other, "hook")
        with pytest.raises(ReplacedProducerError):
            earlier.mark("a", 1)
