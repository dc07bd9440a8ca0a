"""`barograph extract` is killed again and again; each hour and each answer is there once."""

import json
import random
from contextlib import closing

import pytest

from barograph.archive.candles import kept_answers
from barograph.log import open_log
from barograph.log.topics import CANDLES
from barograph.simulated.candle_faults import CandleFault, CandleFaultKind
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.pages import CandleTerms
from barograph.simulated.sources import simulated
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

HOURS = 2400
KILLS = 6
LIMIT_S = 120.0
START_NS = 1_750_000_000 * 10**9
KINDS = [
    CandleFaultKind.LIMITED,
    CandleFaultKind.REORDERED,
    CandleFaultKind.DOWN,
    CandleFaultKind.DUPLICATED,
    CandleFaultKind.TRUNCATED,
    CandleFaultKind.UNFINISHED,
    CandleFaultKind.CURRENCY,
]


def serving(*faults):
    market = SimulatedMarket(PRESETS["constant"], ["BTC-USD"], 9, START_NS)
    return running(Exchange(simulated(market), terms=Terms(candles=CandleTerms(faults=faults))))


def begun(exchange, home):
    return Life(
        "extract", "--hours", HOURS, "--until", "2025-06-15T14:00:00Z", "--home", home,
        "--url", f"http://{exchange.address}", "--json",
    )  # fmt: skip


def written(home):
    with closing(open_log(home)) as log:
        return [(record.key, record.value) for record in log.read(CANDLES, 0, 0, 10**6)]


def kept(home):
    return [(answer.facts.from_s, answer.facts.to_s, answer.body) for answer in kept_answers(home)]


def test_killed_anywhere_and_started_again_it_leaves_what_an_undisturbed_run_leaves(tmp_path):
    with serving() as exchange:
        (calm,) = json.loads(begun(exchange, tmp_path / "calm").answer(LIMIT_S))["extracts"]
    chance, died = random.Random(5), 0
    # The first page of Coinbase's form has nothing to be compared with: no other currency there.
    faults = [CandleFault(kind, 2 * place + 2) for place, kind in enumerate(KINDS)]
    with serving(*faults) as exchange:
        for _ in range(KILLS):
            process, before = begun(exchange, tmp_path / "killed"), exchange.pages.candle_requests
            wanted = before + chance.randint(1, 3)
            until(
                lambda wanted=wanted, process=process: (
                    exchange.pages.candle_requests >= wanted or not process.is_alive()
                ),
                LIMIT_S,
                chance.uniform(0.001, 0.05),
            )
            died += process.kill()
        (done,) = json.loads(begun(exchange, tmp_path / "killed").answer(LIMIT_S))["extracts"]
        requests = exchange.pages.candle_requests
    assert died, "how often depends on the machine"
    assert (calm["new"], done["missing"]) == (HOURS, 0)
    assert written(tmp_path / "killed") == written(tmp_path / "calm")
    answered = [each[:2] for each in kept(tmp_path / "killed")]
    assert answered == [each[:2] for each in kept(tmp_path / "calm")]
    # Each page once, once more for each kill within it, and again for each answer of no use.
    assert requests <= len(answered) + KILLS + len(faults)
