"""Services by Apprise: a real one on a socket, and no secret in anything that is said."""

import json

import pytest

from alert_records_made import alert
from barograph.app.alerting.notes import note_of
from barograph.app.alerting.services import Service
from barograph.app.alerting.sink import SinkError
from barograph.errors import BadInputError
from receivers import Receiver


@pytest.mark.slow
def test_a_note_arrives_with_title_text_and_link():
    with Receiver() as receiver:
        Service(f"json://127.0.0.1:{receiver.port}/hook").send(
            note_of(alert(), "http://127.0.0.1:8000")
        )
        ((_, body),) = receiver.came
    note = json.loads(body)
    assert note["title"] == "Barograph alert: BTC-USD"
    assert "alert 1 began." in note["message"]
    assert note["message"].endswith("http://127.0.0.1:8000/#case=spikes&product=BTC-USD")
    assert note["type"] == "warning"


def test_a_service_that_refuses_is_an_error_without_the_secrets_of_its_address():
    with Receiver(500) as receiver, pytest.raises(SinkError) as failed:
        Service(f"json://user:PASSWORD123@127.0.0.1:{receiver.port}/TOKEN12345").send(
            note_of(alert())
        )
    assert "PASSWORD123" not in failed.value.reason
    assert "TOKEN12345" not in failed.value.reason
    assert failed.value.reason


@pytest.mark.parametrize("url", ["nothing://TOKEN12345", "tgram://", "TOKEN12345"])
def test_an_unknown_address_is_refused_without_repeating_it(url):
    with pytest.raises(BadInputError) as refused:
        Service(url)
    assert "TOKEN12345" not in str(refused.value)


def test_the_name_of_its_group_is_that_of_the_address_and_holds_none_of_it():
    one = Service("json://127.0.0.1/TOKEN12345")
    assert one.name == Service("json://127.0.0.1/TOKEN12345").name
    assert one.name != Service("json://127.0.0.1/TOKEN99999").name
    assert "TOKEN" not in one.name + one.label
    assert one.name.startswith("json-")
