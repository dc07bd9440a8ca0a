"""Lines of recordings as Hypothesis draws them: plain ones, and all that may stand between."""

import json

from hypothesis import strategies as st

from barograph.times import format_time
from barograph.venues.entries import Rules
from coinbase_messages import START, S, beats, envelope, heartbeat, match, ticker

PRODUCTS = ("BTC-USD", "ETH-USD", "A-NAME-OF-OVER-16-LETTERS")
WEIRD = (
    "", "0", "-1", "1e-7", "1e5", "NaN", "0.1", "103472.28000", "00012.5", "123456789012345678",
    "9007199254740993.1", ".5", "5.", "\u0663", "1 ", None, 5, 1.25, True, [], {"a": 1}, "a\\b",
)  # fmt: skip
KEYS = (
    "type", "product_id", "price", "best_bid", "best_ask", "best_bid_size", "best_ask_size",
    "volume_24h", "last_size", "side", "trade_id", "sequence", "time", "note", "raw", "channel",
    "received_at", "timestamp",
)  # fmt: skip
ONE_PRODUCT = Rules(products=frozenset(PRODUCTS[:1]))
SEPARATORS = ((",", ":"), (", ", ": "), (" ,", " :"))

changes = st.one_of(
    st.just({}),
    st.just({}),
    st.just({}),
    st.just({"trade_id": None}),
    st.just({"trade_id": None, "sequence": None, "volume_24h": None}),
    st.builds(lambda n: {"trade_id": 900701309 + n}, st.integers(-2, 6)),
    st.builds(lambda n: {"trade_id": n}, st.sampled_from([2**63 - 1, 10**15, 1, -1, 900_705_000])),
    st.builds(lambda s: {"time": format_time(START + s * S // 4)}, st.integers(-20, 80)),
    st.builds(lambda ns: {"received_at": ns}, st.sampled_from([START, START // 10**6, "x"])),
    st.builds(lambda key: {"time": None, key: format_time(START)}, st.sampled_from(["ts", "time"])),
    st.builds(lambda bid: {"best_bid": bid}, st.sampled_from(["103472.26", "103472.29"])),
    st.builds(lambda key, value: {key: value}, st.sampled_from(KEYS), st.sampled_from(WEIRD)),
)
lines = st.one_of(
    st.tuples(st.just("next"), st.integers(0, 2), changes, st.sampled_from(SEPARATORS)),
    st.tuples(st.just("next"), st.integers(0, 2), st.just({}), st.just(SEPARATORS[0])),
    st.tuples(st.just("anew"), st.sampled_from([5, 5, 900_701_000, 10**15])),
    st.tuples(st.just("shuffled"), st.integers(0, 2), st.randoms(use_true_random=False)),
    st.tuples(st.just("again")),
    st.tuples(st.just("twice"), st.sampled_from(KEYS), st.sampled_from(WEIRD)),
    st.tuples(st.just("broken"), st.integers(0, 300), st.integers(0, 255)),
    st.tuples(st.just("cut"), st.integers(0, 300)),
    st.tuples(st.just("beat"), st.integers(-1, 3)),
    st.tuples(st.just("match"), st.integers(-1, 3)),
    st.tuples(st.just("match"), st.just(0)),
    st.tuples(st.just("pair"), st.integers(0, 1)),
    st.tuples(st.just("advanced"), st.integers(0, 9)),
    st.tuples(st.just("raw"), st.sampled_from([b"", b" ", b"{}", b"{", b"\xff", b'{"type":']))
)  # fmt: skip
ends = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\n\n"])


def written(drawn):
    """A recording of what `lines` drew; the clock goes on by a tenth of a second a line."""
    out, last = [], b"{}"
    for number, ((kind, *how), end) in enumerate(drawn, 1):
        time = format_time(START + number * S // 10)
        # An id for every two lines: repeats and next ones, with holes where other lines stand.
        message = ticker(number // 2, time=time, best_bid_size=f"{number // 3}.5")
        if kind == "next":
            place, change, separators = how
            message |= {"product_id": PRODUCTS[place]} | change
            named = {name: value for name, value in message.items() if value is not None}
            last = json.dumps(named, separators=separators).encode()
        elif kind == "anew":
            last = json.dumps(message | {"trade_id": how[0] + number // 2}).encode()
        elif kind == "shuffled":
            members = list(message.items())[1:]
            how[1].shuffle(members)
            last = json.dumps({"type": "ticker", "product_id": PRODUCTS[how[0]]} | dict(members))
            last = last.encode()
        elif kind == "broken":
            place = how[0] % max(len(last), 1)
            last = last[:place] + bytes([how[1]]) + last[place + 1 :]
        elif kind == "twice":
            last = last[:-1] + f',"{how[0]}":{json.dumps(how[1])}}}'.encode()
        elif kind == "cut":
            last = last[: how[0]]
        elif kind == "beat":
            last = json.dumps(heartbeat(0, number // 2 + how[0], time=time)).encode()
        elif kind == "match":
            last = json.dumps(match(number // 2 + how[0], time=time)).encode()
        elif kind == "pair":
            pair = {"ts": 1762932011.5, "pair": "BTC-USD", "raw": json.dumps(message)}
            last = json.dumps(pair).encode()
        elif kind == "advanced":
            last = json.dumps(envelope(number, seconds=number / 10)).encode()
            if how[0] == 0:
                last = json.dumps(beats(number, number, seconds=number / 10)).encode()
        elif kind == "raw":
            last = how[0]
        out.append(last + end)
    return b"".join(out)
