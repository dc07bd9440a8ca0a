"""The features of hourly candles: their catalogue, compiled kernel and machine."""
