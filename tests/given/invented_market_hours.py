"""Hours of the simulated market, whose volatility can be forecast, as a table of candles."""

from barograph.simulated.candle_history import CandleHistory
from barograph.venues.candle_pages import CandleRow

END_S = 1_749_999_600
"""Where they end."""


def bars(hours):
    """So many hours of BTC-USD up to `END_S`, as rows of a page; some have no trade."""
    history = CandleHistory({"BTC-USD": 100_000.0}, END_S * 10**9, 1)
    return [
        CandleRow(
            start_s=bar.start_s,
            open=str(bar.open),
            high=str(bar.high),
            low=str(bar.low),
            close=str(bar.close),
            volume=str(bar.volume),
        )
        for bar in history.bars("BTC-USD", END_S - hours * 3600, END_S)
    ]
