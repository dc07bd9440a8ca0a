"""A web server over a log of a test, and a plain client of it."""

import http.client
import json
import urllib.parse
from contextlib import closing, contextmanager

from barograph import codec
from barograph.app.settings import Settings
from barograph.app.web.server import WebServer, listening
from barograph.cases.churn import CHURN
from barograph.cases.spikes import SPIKES
from barograph.log import open_log
from barograph.log.topics import PREDICTIONS, TICKS, ensure_topics
from barograph.types import Gap, GapCause, Heartbeat, Message
from waiting import until
from watched_predictions import prediction

LIMIT_S = 120.0
SECOND = 1_790_000_000
NS = 10**9


class Answer:
    """Status, headers and JSON of a response."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """Requests to one server, each on a connection of its own."""

    def __init__(self, url):
        self.url = url
        self.host, self.port = urllib.parse.urlsplit(url).netloc.rsplit(":", 1)

    def request(self, method, path, body=None, headers=None):
        with closing(http.client.HTTPConnection(self.host, int(self.port), timeout=LIMIT_S)) as to:
            to.request(method, path, body, headers or {})
            return Answer(to.getresponse())

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post(self, path, value, **headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.request("POST", path, body, {"Content-Type": "application/json", **headers})

    @contextmanager
    def stream(self, path="/v1/stream", **headers):
        """A stream's events, as `Events`."""
        with closing(http.client.HTTPConnection(self.host, int(self.port), timeout=LIMIT_S)) as to:
            to.request("GET", path, headers=headers)
            yield Events(to.getresponse())


class Events:
    """Server-sent events, read one by one."""

    def __init__(self, response):
        self.status, self._response = response.status, response

    def next(self, *names):
        """The next event, of these names where any are given; None at the end."""
        event = {}
        for raw in self._response:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif "event" in event and (not names or event["event"] in names):
                return {**event, "data": json.loads(event["data"])}
            else:
                event = {}
        return None


def predictions_of(product="BTC-USD", seconds=range(SECOND, SECOND + 200), **more):
    """A prediction for each second, with a probability that is 0.9 at each fiftieth."""
    return [
        prediction(product, second, 0.9 if second % 50 == 0 else 0.1, **more) for second in seconds
    ]


def append_predictions(log, predictions, topic=PREDICTIONS):
    log.append([Message(topic, each.product, codec.encode(each)) for each in predictions])


def append_gap(log, product="BTC-USD", start=SECOND + 10, end=SECOND + 12, missing=3):
    gap = Gap(
        product=product, start_ns=start * NS, end_ns=end * NS, cause=GapCause.TRADE_ID,
        missing=missing,
    )  # fmt: skip
    log.append([Message(TICKS, product, codec.encode(gap))])


def append_beats(log, seconds, product="BTC-USD"):
    """Heartbeats of these seconds."""
    beats = [
        Heartbeat(product=product, event_time_ns=second * NS, receive_time_ns=second * NS)
        for second in seconds
    ]
    log.append([Message(TICKS, product, codec.encode(beat)) for beat in beats])


@contextmanager
def market_log(address):
    """The log of a test with the market's topics."""
    with closing(open_log(address)) as log:
        ensure_topics(log)
        yield log


@contextmanager
def served(home, address=None, cases=(SPIKES, CHURN), warn=None, **settings):
    """A client of a server over the log of `home`, or of another address, with these settings."""
    warnings = [] if warn is None else warn
    listener = listening("127.0.0.1", 0)
    with WebServer(
        Settings(home=home, **settings), address or home, list(cases), listener, warnings.append
    ) as server:
        client = Client(server.url)
        client.server = server
        yield client


def until_known(client, products):
    """Wait until the server has a prediction of each of these."""
    until(lambda: set(client.get("/v1/products").json["products"]) >= set(products))
