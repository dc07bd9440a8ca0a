"""A client asks at its pace, again where an answer is of no use, and never shows its key."""

from random import Random

import pytest

from barograph.candle_records import HOUR_S
from barograph.errors import BadInputError
from barograph.feed.candle_client import MAX_TRIES, CandleClient, StoppedError
from barograph.rest import AnswerError
from barograph.venues import cryptocompare
from barograph.venues.candle_pages import Hours, PageError
from barograph.venues.coinbase import candles as coinbase

START = 1_732_924_800
HOURS = Hours(START, START + HOUR_S)
BODY = b"[[1732924800,96000,96700.1,96500,96523.75,1.5]]"


class Clock:
    """Time that passes only while it is waited for."""

    def __init__(self):
        self.now_s, self.waits = 0.0, []

    def wait(self, seconds):
        self.now_s += seconds
        self.waits.append(seconds)


@pytest.fixture
def clock():
    return Clock()


def client(clock, *answers, service=coinbase, key="", **how):
    """A client of a service that answers so, one after the other."""
    left = list(answers)

    async def fetch(url):
        fetch.urls.append((clock.now_s, url))
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    fetch.urls = []
    made = CandleClient(
        service, "http://h/", key, proxies=False, wait=clock.wait, clock_ns=lambda: 7,
        monotonic=lambda: clock.now_s, random=Random(1), fetch=fetch, **how,
    )  # fmt: skip
    made.urls = fetch.urls
    return made


def test_a_page_is_read_with_its_body_and_its_time(clock):
    fetched = client(clock, BODY).page("BTC-USD", HOURS)
    assert (fetched.body, fetched.receive_time_ns, len(fetched.page.rows)) == (BODY, 7, 1)


def test_requests_keep_their_pace(clock):
    made = client(clock, *[BODY] * 4)
    for _ in range(4):
        made.page("BTC-USD", HOURS)
    times = [at_s for at_s, _ in made.urls]
    assert times == pytest.approx([0, 1 / 3, 2 / 3, 1])


NO_USE = [
    (AnswerError("HTTP status 503", 503), "HTTP status 503"),
    (TimeoutError(), "TimeoutError"),
    (ConnectionResetError("reset"), "reset"),
    (BODY[:-9], "cannot be read"),
]


@pytest.mark.parametrize(("answer", "why"), NO_USE)
def test_an_answer_of_no_use_is_asked_for_again_and_counted(clock, answer, why):
    made = client(clock, answer, answer, BODY)
    assert made.page("BTC-USD", HOURS).body == BODY
    ((reason, count),) = made.failures.items()
    assert (why in reason, count, made.requests) == (True, 2, 3)


def test_a_service_is_waited_for_as_long_as_it_asks(clock):
    made = client(clock, AnswerError("HTTP status 429", 429, 17.0), BODY)
    made.page("BTC-USD", HOURS)
    assert made.urls[1][0] >= 17


def test_a_service_that_asks_for_an_hour_is_not_waited_for(clock):
    made = client(clock, AnswerError("HTTP status 429", 429, 3600.0))
    with pytest.raises(BadInputError, match="left alone for 3,600 s"):
        made.page("BTC-USD", HOURS)


def test_there_is_an_end_to_trying(clock):
    made = client(clock, *[AnswerError("HTTP status 503", 503)] * MAX_TRIES)
    with pytest.raises(BadInputError, match="8 answers were of no use, the last: HTTP status 503"):
        made.page("BTC-USD", HOURS)
    assert clock.now_s < 120


def test_a_page_that_cannot_be_right_is_asked_for_again(clock):
    def check(_page):
        if made.requests < 3:
            raise PageError("another market")

    made = client(clock, *[BODY] * 3)
    made.page("BTC-USD", HOURS, check)
    assert made.failures == {"another market": 2}


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_will_not_change_is_not_asked_for_again(clock, status):
    made = client(clock, AnswerError(f"HTTP status {status}", status))
    with pytest.raises(BadInputError, match=f"HTTP status {status} for BTC-USD"):
        made.page("BTC-USD", HOURS)


def refusal(message):
    return b'{"Response":"Error","Message":"%b","Data":{}}' % message.encode()


def test_the_services_own_refusal_ends_it_unless_it_is_for_the_pace(clock):
    slow, wrong = refusal("You are over your rate limit"), refusal("the key s3cret is not valid")
    made = client(clock, slow, wrong, service=cryptocompare, key="s3cret")
    with pytest.raises(BadInputError, match="is not valid") as refused:
        made.page("BTC-USD", HOURS)
    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(made.failures) + repr(made.urls)
    assert made.requests == 2


def test_a_stop_ends_the_waiting(clock):
    made = client(clock, AnswerError("HTTP status 503", 503), stop=lambda: clock.now_s > 0)
    with pytest.raises(StoppedError):
        made.page("BTC-USD", HOURS)
