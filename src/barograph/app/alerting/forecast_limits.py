"""The limits of forecasts as the settings write them."""

import math


def forecast_limits(text: str) -> dict[str, float]:
    """Case → its limit in the unit that its alerts show, of `hourly=0.8, hourly-24h=0.6`.

    Raises ValueError for text of another form, a case twice, and a limit that is not above 0.
    """
    limits: dict[str, float] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        case, equals, number = part.partition("=")
        case = case.strip()
        if not (case and equals) or case in limits:
            raise ValueError(f"{part}: write each case once, as hourly=0.8")
        limit = float(number)
        if not 0.0 < limit < math.inf:
            raise ValueError(f"{part}: a limit is a number above 0")
        limits[case] = limit
    return limits
