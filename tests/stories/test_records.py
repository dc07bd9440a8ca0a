"""Records through producer and consumer as processes of their own, on either log.

7,043 customers in, 7,043 predictions out, whoever is killed when.
"""

import json
import random
import uuid
from collections import defaultdict
from contextlib import closing

import numpy as np
import pytest

from barograph import codec
from barograph.cases.churn import CHURN, CONTRACT
from barograph.cases.record_file import lines
from barograph.learning.encoding import Encoding
from barograph.log import open_log
from barograph.pipeline.case_topics import ensure_stream
from barograph.pipeline.record_scorer import RecordScorer
from barograph.registry.model import ModelFacts, export, sha256_of
from barograph.registry.registry import Registry
from barograph.types import Fault, Record
from handmade_models import linear
from log_consumer import contents
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

CUSTOMERS = 7043
KILLS = 12
LEASE_S = 1.0
LIMIT_S = 120.0
PAGE_RECORDS = 10_000  # on Kafka each page is sought anew


@pytest.fixture(scope="module")
def table(data):
    return data / "churn" / "Telco-Customer-Churn.csv"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a champion; what it has learned does not matter here."""
    encoding = Encoding.of(CONTRACT.categories)
    weights, scale = np.linspace(-1, 1, len(encoding.code)), np.where(encoding.numbers, 1e3, 1.0)
    fitted = linear(CONTRACT.features, weights, scale=scale, view=encoding)
    onnx = export(fitted, np.zeros((1, len(CONTRACT.features)), np.float32))
    facts = ModelFacts(
        case="churn", candidate="logistic", features=CONTRACT.features,
        feature_set=CONTRACT.feature_set, tau={}, threshold=0.5, horizon_s=0, train_start_ns=0,
        train_end_ns=0, data_hash="d", seed=1, sha256=sha256_of(onnx), scores={},
        created_time_ns=0,
    )  # fmt: skip
    made = tmp_path_factory.mktemp("champion")
    registry = Registry(made)
    registry.promote("churn", registry.register("churn", onnx, facts), "a test")
    return made


@pytest.fixture(params=["sqlite", "kafka"])
def address(request, tmp_path):
    """A log of its own for each test."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.sqlite'}"
    return f"kafka://{request.getfixturevalue('kafka')}/test-{uuid.uuid4().hex}"


@pytest.fixture
def barograph(home, address):
    """Starts a verb as a process."""
    places = ("--case", "churn", "--json", "--log", address, "--home", home)
    return lambda *words: Life(*words, *places, BAROGRAPH_LEASE_S=str(LEASE_S))


def finish(life):
    """Wait for its end; its answer."""
    return json.loads(life.answer())


def count(log, *topics):
    return sum(extent.next for topic in topics for extent in log.extents(topic))


def by_key(log, topic):
    values = defaultdict(list)
    for extent in log.extents(topic):
        for record in contents(log, topic, extent.partition, PAGE_RECORDS):
            values[record.key].append(record.value)
    return values


def expected(home, path):
    """What stands in the topics when nobody was ever killed: records in, predictions out."""
    scorer = RecordScorer("churn", CONTRACT, Registry(home).load("churn", 1, CONTRACT.feature_set))
    records = [
        Record(CHURN.stream.source, 0, place, line.key, line.value)
        for place, line in enumerate(lines(path, CONTRACT))
    ]
    outcome = scorer.receive(records)
    assert outcome.dead_letters == []
    return {each.key: [each.value] for each in records}, {
        key: [value] for key, value in outcome.values
    }


def test_whoever_is_killed_each_customer_goes_in_once_and_comes_out_once(
    table, home, address, barograph
):
    chance, killed = random.Random(7043), {"produce": 0, "consume": 0}
    verbs = {
        "produce": ["produce", table, "--mode", "stream", "--rate", 1000],
        "consume": ["consume", "--mode", "stream", "--batch-size", 50],
    }
    with closing(open_log(address)) as log:
        ensure_stream(log, CHURN.stream)
        at_work = {verb: barograph(*arguments) for verb, arguments in verbs.items()}
        for _ in range(KILLS):
            victim = chance.choice(list(verbs))
            life = at_work[victim]
            topic = CHURN.stream.source if victim == "produce" else CHURN.stream.target
            target = count(log, topic) + 1 + chance.randrange(2 * CUSTOMERS // KILLS)
            until(lambda each=life, t=topic, n=target: passes(log, each, t, n), LIMIT_S)
            killed[victim] += life.kill()
            at_work[victim] = barograph(*verbs[victim])
        for life in at_work.values():
            life.kill()
        produced = finish(barograph("produce", table, "--mode", "batch"))
        finish(barograph("consume", "--mode", "batch"))
        records, predictions = expected(home, table)
        assert by_key(log, CHURN.stream.source) == records
        assert by_key(log, CHURN.stream.target) == predictions
        assert by_key(log, CHURN.stream.dead_letters) == {}
    assert len(predictions) == CUSTOMERS
    assert produced["rows"] == produced["sent"] + produced["skipped"] == CUSTOMERS
    assert min(killed.values()), "how often depends on the machine"


def passes(log, life, topic, target):
    """Whether so much is written, or the life has nothing left to do."""
    return not life.is_alive() or count(log, topic) >= min(target, CUSTOMERS)


def test_what_breaks_the_contract_is_kept_with_its_reason(table, address, barograph, tmp_path):
    good = [json.loads(line.value) for line, _ in zip(lines(table, CONTRACT), "abc", strict=False)]
    poison = {
        Fault.MISSING_FIELD: {k: v for k, v in good[0].items() if k != "tenure"},
        Fault.NOT_A_NUMBER: good[0] | {"MonthlyCharges": "a lot"},
        Fault.UNKNOWN_CATEGORY: good[0] | {"Contract": "Ten year"},
        Fault.OUT_OF_RANGE: good[0] | {"tenure": -1},
        Fault.TOO_LONG: good[0] | {"PaymentMethod": "x" * 10**6},
        Fault.NOT_JSON: b"{'customerID'",
    }
    path = tmp_path / "poisoned.ndjson"
    rows = [good[0], *poison.values(), *good[1:]]
    rows = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join(rows) + b"\n")
    assert finish(barograph("produce", path, "--mode", "batch"))["sent"] == len(rows)
    tally = finish(barograph("consume", "--mode", "batch"))
    assert (tally["values"], tally["dead_letters"]) == (3, 6)
    with closing(open_log(address)) as log:
        assert set(by_key(log, CHURN.stream.target)) == {each["customerID"] for each in good}
        letters = [
            codec.decode_dead_letter(value)
            for values in by_key(log, CHURN.stream.dead_letters).values()
            for value in values
        ]
    assert {letter.fault: letter.original for letter in letters} == dict(
        zip(poison, rows[1:7], strict=True)
    )
    assert all(letter.detail for letter in letters)


def test_a_consumer_that_is_told_to_stop_finishes_and_leaves(table, address, barograph):
    finish(barograph("produce", table, "--mode", "batch", "--batch-size", 1000))
    consumer = barograph("consume", "--mode", "stream", "--batch-size", 20)
    with closing(open_log(address)) as log:
        until(lambda: passes(log, consumer, CHURN.stream.target, 100), LIMIT_S)
        consumer.terminate()
        done = finish(consumer)
        predicted = sum(map(len, by_key(log, CHURN.stream.target).values()))
    assert done["records"] == done["values"] == predicted
    assert finish(barograph("consume", "--mode", "batch"))["records"] == CUSTOMERS - predicted
