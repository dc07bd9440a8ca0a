"""A simulated market that was heard on two connections, and so with a gap."""

import msgspec

from barograph import codec
from barograph.feature_set.featurizer import Featurizer
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import NS_PER_S, Record
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Closing, Dialect, Heard, Opening

START_S = 1_750_000_000


def rows_of_a_market_with_a_cut():
    """The feature rows of two connections to a simulated market, and so with a gap."""
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD", "ETH-USD"], 3, START_S * NS_PER_S)
    venue, events = Coinbase(), []
    for connection in ("a", "b"):
        entries = [Opening(connection=connection, dialect=Dialect.EXCHANGE)]
        for frame in market.advance(700):
            named = msgspec.structs.replace(frame, connection=connection)
            entries.append(Heard(named, Dialect.EXCHANGE))
        for entry in [*entries, Closing(connection)]:
            events += venue.take(entry).events
    records = [
        Record("ticks.raw", 0, n, event.product, codec.encode(event))
        for n, event in enumerate(events)
    ]
    return [codec.decode_row(value) for _, value in Featurizer().receive(records).values]
