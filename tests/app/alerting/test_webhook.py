"""A webhook on a real socket: signed, with its key, bounded in time, and never redirected."""

import hashlib
import hmac
import re
import runpy
import socket
from pathlib import Path

import pytest

from alert_records_made import alert
from barograph.app.alerting.notes import note_of
from barograph.app.alerting.sink import SinkError
from barograph.app.alerting.webhook import Webhook, signature
from barograph.errors import BadInputError
from receivers import Receiver

SECRET = b"s3cret"
NOTE = note_of(alert())


def test_a_note_is_posted_with_a_signature_over_timestamp_and_body():
    with Receiver() as receiver:
        Webhook(receiver.url, SECRET, clock_ns=lambda: 1_750_000_000 * 10**9).send(NOTE)
        ((headers, body),) = receiver.came
    assert body == NOTE.json()
    assert headers["idempotency-key"] == NOTE.key
    assert headers["x-barograph-timestamp"] == "1750000000"
    wanted = hmac.new(SECRET, b"1750000000." + body, hashlib.sha256).hexdigest()
    assert headers["x-barograph-signature"] == f"sha256={wanted}"
    assert headers["content-type"] == "application/json"


def test_without_a_secret_there_is_no_signature_and_the_label_says_so():
    with Receiver(204) as receiver:
        hook = Webhook(receiver.url)
        hook.send(NOTE)
    assert "x-barograph-signature" not in receiver.came[0][0]
    assert "not signed" in hook.label


@pytest.mark.parametrize(
    ("status", "final"), [(500, False), (404, False), (429, False), (302, False), (422, True)]
)
def test_a_status_that_is_no_2xx_is_an_error_and_no_redirect_is_followed(status, final):
    with Receiver(status) as receiver, pytest.raises(SinkError, match=str(status)) as refused:
        Webhook(receiver.url, SECRET).send(NOTE)
    assert refused.value.final is final
    assert len(receiver.came) == 1


def test_a_receiver_that_does_not_answer_is_given_up():
    with Receiver() as receiver:
        receiver.hang.clear()
        with pytest.raises(SinkError, match=r"no answer within 0\.1 s"):
            Webhook(receiver.url, timeout_s=0.1).send(NOTE)


def test_nobody_there_is_an_error_in_words():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(SinkError, match="Connect call failed"):
        Webhook(f"http://127.0.0.1:{port}/").send(NOTE)


@pytest.mark.parametrize(
    "url", ["", "ftp://a/secret", "http://", "http://[::1/secret", "http://h:99999/", "http://a b/"]
)
def test_another_address_is_refused_without_repeating_it(url):
    with pytest.raises(BadInputError) as refused:
        Webhook(url)
    assert "secret" not in str(refused.value)


def test_the_name_of_its_group_is_that_of_the_address_and_holds_none_of_it():
    one, same = Webhook("https://h/TOKEN"), Webhook("https://h/TOKEN", SECRET)
    assert one.name == same.name != Webhook("https://h/OTHER").name
    assert "TOKEN" not in one.name + one.label + same.label


def test_the_signature_has_a_known_value():
    assert signature(b"key", "1", b"{}") == (
        "sha256=" + hmac.new(b"key", b"1.{}", hashlib.sha256).hexdigest()
    )


def test_the_code_of_the_page_verifies_a_request_and_refuses_all_others(tmp_path):
    root = Path(__file__).parents[3]
    page = (root / "docs" / "alerts.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "receiver.py").write_text(code)
    is_ours = runpy.run_path(str(tmp_path / "receiver.py"))["is_ours"]
    with Receiver() as receiver:
        Webhook(receiver.url, SECRET).send(NOTE)
        Webhook(receiver.url, SECRET, clock_ns=lambda: 1_750_000_000 * 10**9).send(NOTE)
    headers, body = receiver.came[0]
    sent = {name.title(): value for name, value in headers.items()}
    assert is_ours(SECRET, sent, body)
    assert not is_ours(b"another", sent, body)
    assert not is_ours(SECRET, sent, body + b" ")
    stale = {name.title(): value for name, value in receiver.came[1][0].items()}
    assert not is_ours(SECRET, stale, body)
