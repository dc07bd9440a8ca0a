"""The access log: lines of JSON, in files of bounded size, and never a reason to fail."""

import msgspec

from barograph.app.web import access_log as module
from barograph.app.web.access_log import Access, AccessLog


def access(path="/v1/cases"):
    return Access(
        time_ns=1, client="127.0.0.1", method="GET", path=path, status=200, bytes=2,
        milliseconds=0.5,
    )  # fmt: skip


def lines(file):
    return [msgspec.json.decode(line, type=Access) for line in file.read_bytes().splitlines()]


def test_lines_are_written_when_it_is_flushed(tmp_path):
    log = AccessLog(tmp_path / "logs")
    log.add(access())
    log.add(access("/a\nb"))
    assert not (tmp_path / "logs").exists()
    log.flush()
    log.flush()
    assert lines(tmp_path / "logs" / module.FILE) == [access(), access("/a\nb")]


def test_a_full_file_is_put_aside_and_one_before_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1)
    log = AccessLog(tmp_path)
    for path in ("/1", "/2", "/3"):
        log.add(access(path))
        log.flush()
    assert [each.path for each in lines(tmp_path / module.BEFORE)] == ["/2"]
    assert [each.path for each in lines(tmp_path / module.FILE)] == ["/3"]


def test_more_lines_than_the_bound_are_dropped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINES", 2)
    log = AccessLog(tmp_path)
    for _ in range(5):
        log.add(access())
    log.flush()
    assert (len(lines(tmp_path / module.FILE)), log.dropped) == (2, 3)


def test_a_folder_that_cannot_be_written_is_a_problem_and_no_error(tmp_path):
    (tmp_path / "logs").write_text("a file")
    log = AccessLog(tmp_path / "logs")
    log.add(access())
    log.flush()
    assert log.problem
    assert log.dropped == 1
