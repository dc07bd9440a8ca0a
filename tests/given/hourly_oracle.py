"""The oracle of hourly features: loops over the candles of a window, in the most obvious way.

Slow, plain and independent of the code under test; only the fixed point to which a quantity of an
hour is rounded is the same, as it is part of the definition.
"""

import math
from fractions import Fraction
from functools import partial

from barograph.feature_set.hourly.catalogue import COLUMN, FEATURES, NAMES
from barograph.types import Reason

LEAST_VOL, LEAST_VOLUME = 1e-5, 1e-8


def rows(candles):
    """One product's rows, as functions that compute one when called; the fate of each candle.

    candles: (n,) of `hours.CANDLE`. A fate is "", "duplicate", "late", "out of range" or
    "second source".
    """
    known, made, fates = {}, [], []
    first = last = None
    reason = Reason.WARMUP
    for candle in candles:
        fields = {name: candle[name].item() for name in candle.dtype.names}
        hour = fields["hour"]
        fate = fate_of(fields, known, last)
        fates.append(fate)
        if fate:
            continue
        is_newest = last is None or hour > last
        if last is not None and hour - last > 720:
            known, first, reason = {}, hour, Reason.STALE
        known = {h: each for h, each in known.items() if h > max(hour, last or 0) - 721}
        known[hour] = fields
        first = hour if first is None else min(first, hour)
        last = hour if last is None else max(hour, last)
        if is_newest:
            made.append(partial(row, known, first, last, reason))
    return made, fates


def fate_of(candle, known, last):
    if not math.isnan(candle["realized_vol"]) and candle["realized_vol"] > 3:
        return "out of range"
    if not is_quiet(candle) and math.log(candle["high"]) - math.log(candle["low"]) > 2:
        return "out of range"
    if last is not None and candle["hour"] <= last - 721:
        return "late"
    before = known.get(candle["hour"])
    if before and (candle["version"] < 0) != (before["version"] < 0):
        return "second source"
    return "duplicate" if before and abs(candle["version"]) <= abs(before["version"]) else ""


def is_quiet(candle):
    return math.isnan(candle["open"])


def fixed(value, digits):
    """The value as a fraction, rounded to so many digits."""
    return Fraction(round(value * 10.0**digits), 10**digits)


def variance(candle):
    """Garman–Klass."""
    if is_quiet(candle):
        return Fraction(0)
    span = math.log(candle["high"]) - math.log(candle["low"])
    body = math.log(candle["close"]) - math.log(candle["open"])
    return fixed(0.5 * span**2 - (2 * math.log(2) - 1) * body**2, 15)


def log_vol(candle):
    return math.log(max(math.sqrt(variance(candle)), LEAST_VOL))


def parkinson(candle):
    if is_quiet(candle):
        return Fraction(0)
    span = math.log(candle["high"]) - math.log(candle["low"])
    return fixed(span**2 / (4 * math.log(2)), 15)


def rogers_satchell(candle):
    if is_quiet(candle):
        return Fraction(0)
    o, h, low, c = (math.log(candle[name]) for name in ("open", "high", "low", "close"))
    return fixed((h - c) * (h - o) + (low - c) * (low - o), 15)


def body(candle):
    """From the open to the close."""
    if is_quiet(candle):
        return Fraction(0)
    return fixed(math.log(candle["close"]), 9) - fixed(math.log(candle["open"]), 9)


def between(known, hour):
    """From the close of the hour before to the open."""
    candle, before = known[hour], known.get(hour - 1)
    if is_quiet(candle) or before is None or is_quiet(before):
        return Fraction(0)
    jump = fixed(math.log(candle["open"]), 9) - fixed(math.log(before["close"]), 9)
    return jump if abs(jump) <= 1 else Fraction(0)


def move(known, hour):
    return body(known[hour]) + between(known, hour)


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def sample_variance(values):
    values = list(values)
    middle = mean(values)
    return sum((value - middle) ** 2 for value in values) / (len(values) - 1)


def ratio(part, whole, otherwise=0.0):
    return float(part) / float(whole) if whole else otherwise


def row(known, first, last, reason):
    """The row at the hour `last`, of what is known of it and of the 720 hours before it."""
    values = dict.fromkeys(NAMES)
    reasons = dict.fromkeys(NAMES, reason)
    ages = last - first + 1

    def missing(name, span):
        reasons[name] = reason if ages < span else Reason.GAP

    def window(n, *names):
        """The known hours of the last n, newest first; None if too few, for which `names` wait."""
        hours = [last - back for back in range(n) if last - back in known]
        enough = len(hours) == n if n < 24 else len(hours) >= 0.95 * n
        if enough:
            return hours
        for name in names:
            missing(name, n)
        return None

    def vol(hours, of=variance):
        return math.sqrt(mean(of(known[hour]) for hour in hours))

    def log_mean(hours):
        return math.fsum(log_vol(known[hour]) for hour in hours) / len(hours)

    path = {last: Fraction(0)}
    for hour in range(last, last - 721, -1):
        path[hour - 1] = path[hour] - (move(known, hour) if hour in known else 0)

    for feature in FEATURES:
        name = feature.name
        if name.startswith(("gk_vol_lag_", "same_hour", "realized_vol")):
            continue
        spans = [int(part.strip("hd")) for part in name.split("_") if part.strip("hd").isdigit()]
        hours = window(feature.span_h, name) if feature.span_h else []
        if hours is None:
            continue
        n = feature.span_h
        if name.startswith("gk_vol_cv_"):
            vols = [math.sqrt(variance(known[hour])) for hour in hours]
            middle = math.fsum(vols) / len(vols)
            spread = math.fsum((v - middle) ** 2 for v in vols) / len(vols)
            values[name] = ratio(math.sqrt(spread), middle)
        elif name.startswith("gk_vol_max_"):
            values[name] = math.sqrt(max(variance(known[hour]) for hour in hours))
        elif name.startswith("gk_vol_"):
            values[name] = vol(hours)
        elif name.startswith("log_gk_mean_"):
            values[name] = log_mean(hours)
        elif name.startswith("parkinson_vol_"):
            values[name] = vol(hours, parkinson)
        elif name.startswith("rogers_satchell_vol_"):
            values[name] = vol(hours, rogers_satchell)
        elif name.startswith("close_vol_"):
            values[name] = math.sqrt(mean(move(known, hour) ** 2 for hour in hours))
        elif name.startswith("yang_zhang_vol_"):
            k = 0.34 / (1.34 + (len(hours) + 1) / (len(hours) - 1))
            values[name] = math.sqrt(
                sample_variance(between(known, hour) for hour in hours)
                + k * sample_variance(body(known[hour]) for hour in hours)
                + (1 - k) * mean(rogers_satchell(known[hour]) for hour in hours)
            )
        elif name == "scaled_return_1h":
            values[name] = ratio(move(known, last), vol(hours))
        elif name == "scaled_abs_return_1h":
            values[name] = ratio(abs(move(known, last)), vol(hours))
        elif name.startswith("scaled_return_"):
            total = sum(move(known, hour) for hour in hours)
            values[name] = ratio(total, math.sqrt(sum(variance(known[hour]) for hour in hours)))
        elif name == "acceleration_6h":
            if window(6, name):
                moves = [move(known, last - back) for back in range(6)]
                values[name] = ratio(sum(moves[:3]) - sum(moves[3:]), vol(hours) * math.sqrt(6))
        elif name.startswith("downside_share_"):
            falling = sum(variance(known[hour]) for hour in hours if move(known, hour) < 0)
            values[name] = ratio(falling, sum(variance(known[hour]) for hour in hours), 0.5)
        elif name.startswith("average_ratio_"):
            if short := window(spans[0], name):
                change = mean(path[hour] for hour in short) - mean(path[hour] for hour in hours)
                values[name] = ratio(change, vol(hours) * math.sqrt(n))
        elif name.startswith("macd_"):
            macd(name, known, last, window, path, vol, values)
        elif name.startswith("rsi_"):
            moves = [move(known, hour) for hour in hours]
            values[name] = ratio(sum(m for m in moves if m > 0), sum(map(abs, moves)), 0.5)
        elif name.startswith("close_place_"):
            closes = [path[hour] for hour in hours]
            values[name] = ratio(-min(closes), max(closes) - min(closes), 0.5)
        elif name.startswith("log_volume_ratio_"):
            if short := window(spans[0], name):
                change = log_volume(known, short) - log_volume(known, hours)
                values[name] = max(-7.0, min(7.0, change))
        elif name == "quiet_share_24h":
            values[name] = sum(is_quiet(known[hour]) for hour in hours) / len(hours)
        elif name == "target_hour":
            values[name] = (last + 1) % 24
        elif name == "target_weekday":
            values[name] = ((last + 1) // 24 + 3) % 7
        else:
            kind, wave, harmonic = name.split("_")
            period = {"hour": 24, "week": 168}[kind]
            # The Monday of 1970-01-05 was 96 hours after the epoch.
            angle = 2 * math.pi * int(harmonic) * ((last + 1 - 96) % period) / period
            values[name] = {"sin": math.sin, "cos": math.cos}[wave](angle)

    for k in [int(name[11:-1]) for name in NAMES if name.startswith("gk_vol_lag_")]:
        name = f"gk_vol_lag_{k}h"
        if last - k in known:
            values[name] = math.sqrt(variance(known[last - k]))
        else:
            missing(name, k + 1)
    for n in (1, 6, 24, 168):
        name = f"realized_vol_{n}h"
        if hours := window(n, name):
            offered = [known[h]["realized_vol"] for h in hours]
            offered = [fixed(v * v, 15) for v in offered if not math.isnan(v)]
            if len(offered) == n if n < 24 else len(offered) >= 0.95 * n:
                values[name] = math.sqrt(mean(offered))
            else:
                reasons[name] = Reason.NOT_OFFERED
    seasons = [(f"same_hour_{days}d", 24, days) for days in (3, 7, 14, 28)]
    seasons += [(f"same_hour_of_week_{weeks}w", 168, weeks) for weeks in (2, 4)]
    for name, period, count in seasons:
        same = [last + 1 - period * back for back in range(1, count + 1)]
        same_known = [hour for hour in same if hour in known]
        if len(same_known) < count - (count >= 7):
            missing(name, period * count)
        elif hours := window(period * count, name):
            values[name] = log_mean(same_known) - log_mean(hours)

    for name, value in values.items():
        if value is not None:
            reasons[name] = Reason.KNOWN
    return {
        "second": 3600 * last + 3599,
        "log_close": None if is_quiet(known[last]) else math.log(known[last]["close"]),
        "receive_time_ns": known[last]["receive_time_ns"],
        "values": [values[name] for name in COLUMN],
        "reasons": [reasons[name] for name in COLUMN],
    }


def macd(name, known, last, window, path, vol, values):
    """The MACD, or its histogram; the scale is the volatility of a day."""
    day = window(24, name)
    if not day or not window(26, name) or not window(12, name):
        return

    def line(back):
        short = [last - back - age for age in range(12)]
        long = [last - back - age for age in range(26)]
        return mean(path[h] for h in short if h in known) - mean(
            path[h] for h in long if h in known
        )

    change = line(0)
    if name.startswith("macd_histogram"):
        change -= mean(line(back) for back in range(9))
    values[name] = ratio(change, vol(day))


def log_volume(known, hours):
    return math.fsum(math.log(max(known[h]["volume"], LEAST_VOLUME)) for h in hours) / len(hours)
