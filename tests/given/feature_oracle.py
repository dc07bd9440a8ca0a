"""The oracle: every feature, label and score computed in the most obvious way.

Loops, `math.fsum` and `fractions`; slow, plain and independent of the code under test.
"""

import math
from bisect import bisect_left, bisect_right
from fractions import Fraction
from functools import partial
from itertools import pairwise

from barograph.codec import FILLED, GAP, HEARTBEAT, TICK
from barograph.feature_set.catalogue import NAMES
from barograph.types import Reason

# Features

NS = 1_000_000_000


def features(events):
    """One product's rows, as functions that compute one when called; the places of late ones."""
    runs, late = bars(events)
    rows, returns = [], {}
    for run in runs:
        if run["reason"] == Reason.WARMUP:
            returns = {}  # another session, which knows nothing of the one before
        returns = {second: r for second, r in returns.items() if second < run["lost"]}
        returns |= {
            bar["second"]: bar["log_mid"] - before["log_mid"]
            for before, bar in pairwise(run["bars"])
        }
        rows += [
            partial(row, run["bars"][max(0, i - 900) : i + 1], run["reason"], returns)
            for i in range(len(run["bars"]))
        ]
    return rows, late


def bars(events):
    """Unbroken runs of one-second bars: `{"reason": why it had to begin, "bars": [...]}`.

    "lost": the second from which on gaps before the run say that all was lost.

    A run's first bar is only its anchor: it was seen in part, or lies across a hole.
    """
    runs, late = [], []
    run = {"reason": Reason.WARMUP, "bars": [], "lost": math.inf}
    open_bar = None
    closed_through = -math.inf
    last_id = -1

    def finish(reason):
        nonlocal run, open_bar
        lost = math.inf if run["bars"] else run["lost"]
        if run["bars"]:
            runs.append(run)
        run, open_bar = {"reason": reason, "bars": [], "lost": lost}, None

    def close(event):
        nonlocal run, closed_through
        bar = dict(open_bar, received=int(event["receive_time_ns"]))
        bar["log_mid"] = round(math.log(bar["mid"]) * 1e9)
        if run["bars"] and abs(bar["log_mid"] - run["bars"][-1]["log_mid"]) > 10**8:
            runs.append(run)
            run = {"reason": Reason.OUT_OF_RANGE, "bars": [], "lost": math.inf}
        run["bars"].append(bar)
        closed_through = bar["second"]

    for place, event in enumerate(events):
        second = int(event["event_time_ns"]) // NS
        until = int(event["gap_start_ns"]) // NS if event["kind"] == GAP else second
        while open_bar is not None and open_bar["second"] < until:
            if open_bar["second"] >= open_bar["heard"] + 900:
                finish(Reason.STALE)
                closed_through = until - 1
                break
            close(event)
            open_bar = new_bar(open_bar, open_bar["second"] + 1)
        if event["kind"] == GAP and event["event_time_ns"] < event["gap_start_ns"]:
            finish(Reason.WARMUP)  # an older session begins
            closed_through, last_id = second - 1, -1
        elif event["kind"] == GAP:
            finish(Reason.GAP)
            run["lost"] = min(run["lost"], until)  # also what heartbeats had closed
            closed_through = max(closed_through, second - 1)
        elif event["kind"] == HEARTBEAT:
            closed_through = max(closed_through, second - 1)
        elif event["kind"] != TICK and open_bar is None:
            continue
        elif second <= closed_through:
            if event["kind"] != FILLED:
                late.append(place)
        else:
            fields = {name: event[name].item() for name in event.dtype.names}
            if event["kind"] == TICK:
                mid = 0.5 * (fields["bid"] + fields["ask"])
                if open_bar is None:
                    open_bar = new_bar({"mid": mid}, second)
                else:
                    open_bar["steps"].append((open_bar["tick"], fields))
                open_bar.update(tick=fields, mid=mid, heard=second)
                open_bar["mids"].append(mid)
                if (
                    fields["trade_id"] in open_bar["without_quote"]
                    and fields["trade_id"] == last_id
                ):
                    open_bar["without_quote"].clear()
                    continue
            elif fields["trade_id"] <= last_id:
                continue
            else:
                open_bar["without_quote"].add(fields["trade_id"])
                open_bar["lost"] |= event["kind"] == FILLED
                open_bar["heard"] = second
            open_bar["trades"].append((last_id, fields))
            last_id = fields["trade_id"]
    if run["bars"]:
        runs.append(run)
    return runs, late


def new_bar(before, second):
    """A second that opens with the quote of the one before."""
    bar = {
        "second": second,
        "mids": [before["mid"]],
        "trades": [],
        "without_quote": set(),
        "steps": [],
        "lost": False,
    }
    return before | bar


def row(seen, reason, return_at):
    """The row at the last of the bars seen since the run began; `return_at` maps seconds."""
    last, run = seen[-1], len(seen) - 1
    values = dict.fromkeys(NAMES)
    reasons = dict.fromkeys(NAMES, reason)

    def window(w):
        """The bars of the last w seconds, or nothing where the run is shorter."""
        return seen[-w:] if run >= w else None

    def returns(w):
        mids = [bar["log_mid"] for bar in seen[-w - 1 :]]
        return [b - a for a, b in pairwise(mids)]

    def missing(name, why):
        values[name], reasons[name] = None, why

    def realized(w):
        return math.sqrt(Fraction(sum(r * r for r in returns(w)), w)) * 1e-9

    for w in (10, 60, 300):
        if window(w):
            values[f"log_return_{w}s"] = sum(returns(w)) * 1e-9
            values[f"tick_intensity_{w}s"] = sum(len(bar["trades"]) for bar in window(w)) / w
    for w in (10, 30, 60, 300, 900):
        if window(w):
            values[f"realized_vol_{w}s"] = realized(w)
    for w in (60, 300):
        if window(w):
            r = [abs(x) for x in returns(w)]
            pairs = sum(a * b for a, b in pairwise(r))
            values[f"bipower_vol_{w}s"] = math.sqrt(math.pi / 2 * pairs / (w - 1)) * 1e-9
            mids = [round(math.log(m) * 1e9) for bar in window(w) for m in bar["mids"]]
            spread = (max(mids) - min(mids)) * 1e-9
            values[f"parkinson_{w}s"] = spread / math.sqrt(4 * math.log(2) * w)
            change = last["tick"]["volume_24h"] - seen[-w - 1]["tick"]["volume_24h"]
            values[f"volume_24h_change_{w}s"] = change
            if math.isnan(change):
                missing(f"volume_24h_change_{w}s", Reason.NOT_OFFERED)
    if window(60):
        rv, bv = values["realized_vol_60s"], values["bipower_vol_60s"]
        values["jump_share_60s"] = max(0.0, 1 - bv**2 / rv**2) if rv else 0.0
        values["quiet_share_60s"] = sum(not bar["trades"] for bar in window(60)) / 60
    for short, long in ((10, 300), (30, 300), (60, 300), (60, 900)):
        if window(long):
            whole = realized(long)
            values[f"vol_ratio_{short}_{long}s"] = realized(short) / whole if whole else 1.0

    bid, ask = last["tick"]["bid"], last["tick"]["ask"]
    values["spread"] = ask - bid
    values["spread_bps"] = spread_bps(last)
    for w in (30, 300):
        if window(w):
            values[f"spread_bps_mean_{w}s"] = math.fsum(map(spread_bps, window(w))) / w
    for w in (10, 30, 60, 300):
        if window(w):
            steps = [step for bar in window(w) for step in bar["steps"]]
            moves = sum(min(3 * 10**16, sum(map(move_e18, bar["steps"]))) for bar in window(w))
            values[f"tick_vol_{w}s"] = math.sqrt(Fraction(moves, len(steps) or 1)) * 1e-9
    if window(10):
        spreads = [spread_bps({"tick": tick}) for bar in window(10) for _, tick in bar["steps"]]
        mean = math.fsum(spreads) / len(spreads) if spreads else values["spread_bps"]
        values["tick_spread_bps_mean_10s"] = mean
    for w in (10, 30, 60, 300):
        if window(w) and any(bar["lost"] for bar in window(w)):
            for name in (f"tick_vol_{w}s", f"tick_spread_bps_mean_{w}s", f"parkinson_{w}s"):
                if name in values:
                    missing(name, Reason.GAP)
    imbalance_now = imbalance(last)
    if imbalance_now is None:
        missing("book_imbalance", Reason.NOT_OFFERED)
        missing("microprice_deviation_bps", Reason.NOT_OFFERED)
    else:
        values["book_imbalance"] = imbalance_now
        bid_size, ask_size = last["tick"]["bid_size"], last["tick"]["ask_size"]
        microprice = Fraction(bid) * Fraction(ask_size) + Fraction(ask) * Fraction(bid_size)
        microprice /= Fraction(bid_size) + Fraction(ask_size)
        mid = (Fraction(bid) + Fraction(ask)) / 2
        values["microprice_deviation_bps"] = float(10**4 * (microprice - mid) / mid)
    if window(60):
        all_60 = [imbalance(bar) for bar in window(60)]
        if None in all_60:
            missing("book_imbalance_mean_60s", Reason.NOT_OFFERED)
        else:
            values["book_imbalance_mean_60s"] = math.fsum(all_60) / 60

    if window(300):
        whole = values["tick_intensity_300s"]
        values["tick_intensity_ratio_60_300s"] = (
            values["tick_intensity_60s"] / whole if whole else 1.0
        )
    if window(60):
        tape(window(60), values, missing)
    for w in (10, 30, 60, 120, 300, 600, 900, 1800, 3600):
        known = [return_at.get(s) for s in range(last["second"] - w + 1, last["second"] + 1)]
        known = [min(r * r, 25 * 10**14) for r in known if r is not None]
        if len(known) >= min(w // 2, 30):
            values[f"observed_vol_{w}s"] = math.sqrt(Fraction(sum(known), len(known))) * 1e-9
        if w in (60, 300, 3600):
            values[f"observed_share_{w}s"] = len(known) / w
    if values["observed_vol_60s"] is not None:
        ages = range(300)
        edges = (0, 10, 30, 60, 120, 300)
        total = weights = 0.0
        for age in ages:
            r = return_at.get(last["second"] - age)
            young, old = next((a, b) for a, b in pairwise(edges) if a <= age < b)
            weight = (math.exp(-young / 60) - math.exp(-old / 60)) / (old - young)
            if r is not None:
                total += weight * min(r * r, 25 * 10**14)
                weights += weight
        values["ewma_vol_60s"] = math.sqrt(total / weights) * 1e-9
    for w in (900, 1800, 3600):
        ends = range(last["second"] - w + 60, last["second"] + 1)
        logs = [log_minute(return_at, end) for end in ends if end in return_at]
        logs = [log for log in logs if log is not None]
        if logs:
            values[f"typical_vol_{w}s"] = math.exp(math.fsum(logs) / len(logs))
    values["staleness_s"] = ((last["second"] + 1) * NS - last["tick"]["event_time_ns"]) / NS
    angle = 2 * math.pi * (last["second"] % 86400) / 86400
    values["hour_sin"], values["hour_cos"] = math.sin(angle), math.cos(angle)

    for name, value in values.items():
        if value is not None:
            reasons[name] = Reason.KNOWN
    return {
        "second": last["second"],
        "log_mid_e9": last["log_mid"],
        "return_e9": last["log_mid"] - seen[-2]["log_mid"] if run else None,
        "receive_time_ns": last["received"],
        "values": values,
        "reasons": reasons,
    }


def log_minute(return_at, end):
    """The logarithm of the volatility of the minute that ends with second `end`, in whole 1e-8."""
    known = [return_at[s] for s in range(end - 59, end + 1) if s in return_at]
    if len(known) < 30:
        return None
    mean = sum(min(r * r, 25 * 10**14) for r in known) / len(known)
    return round(math.log(max(math.sqrt(mean) * 1e-9, 1e-7)) * 1e8) / 1e8


def spread_bps(bar):
    bid, ask = bar["tick"]["bid"], bar["tick"]["ask"]
    return 1e4 * (ask - bid) / (0.5 * (bid + ask))


def move_e18(step):
    """The variance a second that one tick's own return makes of its duration, rounded."""
    before, tick = step
    logs = [round(math.log(0.5 * (t["bid"] + t["ask"])) * 1e9) for t in step]
    duration_s = Fraction(max(tick["event_time_ns"] - before["event_time_ns"], 0), NS)
    return round((logs[1] - logs[0]) ** 2 / (duration_s + Fraction(1, 100)))


def imbalance(bar):
    bid_size, ask_size = bar["tick"]["bid_size"], bar["tick"]["ask_size"]
    if math.isnan(bid_size) or math.isnan(ask_size) or bid_size + ask_size == 0:
        return None
    return (bid_size - ask_size) / (bid_size + ask_size)


def tape(window, values, missing):
    """Traded volume and its imbalance; a quote that repeats a trade's id brings no new trade."""
    bought = sold = Fraction(0)
    seconds = []
    known = any(bar["trades"] for bar in window)
    for bar in window:
        in_second = Fraction(0)
        for id_before, tick in bar["trades"]:
            if tick["trade_id"] < 0 or tick["side"] == 0 or math.isnan(tick["last_size"]):
                known = False
            elif tick["trade_id"] != id_before:
                size = Fraction(round(Fraction(tick["last_size"]) * 10**8), 10**8)
                in_second += size
                bought += size if tick["side"] > 0 else 0
                sold += size if tick["side"] < 0 else 0
        seconds.append(in_second)
    if max(seconds) > 10**9:
        for name in ("traded_volume_60s", "flow_imbalance_60s"):
            missing(name, Reason.OUT_OF_RANGE)
    elif not known:
        for name in ("traded_volume_60s", "flow_imbalance_60s"):
            missing(name, Reason.NOT_OFFERED)
    else:
        values["traded_volume_60s"] = float(bought + sold)
        traded = bought + sold
        values["flow_imbalance_60s"] = float((bought - sold) / traded) if traded else 0.0


# Labels and scores


def future_realized_vol(return_e9_of, second, horizon_s):
    """None unless every following second's return is known; `return_e9_of` maps second to it."""
    following = [return_e9_of.get(s) for s in range(second + 1, second + horizon_s + 1)]
    if None in following:
        return None
    return math.sqrt(sum(r * r for r in following) / horizon_s) * 1e-9


def episodes(spike_seconds, horizon_s):
    """First and last second of each run of spike seconds that is horizon_s away from the next."""
    runs = []
    for s in sorted(set(spike_seconds)):
        if runs and s - runs[-1][1] < horizon_s:
            runs[-1][1] = s
        else:
            runs.append([s, s])
    return runs


def pr_auc(truth, forecast):
    """Over every distinct threshold, falling: the step in recall times the precision there."""
    spikes = sum(truth)
    area, recall_before = Fraction(0), Fraction(0)
    for threshold in sorted(set(forecast), reverse=True):
        chosen = [t for t, f in zip(truth, forecast, strict=True) if f >= threshold]
        recall = Fraction(sum(chosen), spikes)
        area += (recall - recall_before) * Fraction(sum(chosen), len(chosen))
        recall_before = recall
    return float(area)


def roc_auc(truth, forecast):
    """The share of (spike, calm) pairs in the right order, ties half."""
    spikes = [f for t, f in zip(truth, forecast, strict=True) if t]
    calm = [f for t, f in zip(truth, forecast, strict=True) if not t]
    wins = sum(Fraction(1 + (s > c) - (s < c), 2) for s in spikes for c in calm)
    return float(wins / (len(spikes) * len(calm)))


def brier(truth, probability):
    """Mean squared error."""
    losses = [(p - t) ** 2 for t, p in zip(truth, probability, strict=True)]
    return math.fsum(losses) / len(losses)


def log_loss(truth, probability, clip):
    """Mean surprise, in nats."""
    losses = [
        -math.log(min(max(p if t else 1 - p, clip), 1 - clip))
        for t, p in zip(truth, probability, strict=True)
    ]
    return math.fsum(losses) / len(losses)


def calibration_error(truth, probability, bins=10):
    """Rows by rising probability in bins of equal numbers, equal ones by their middle rank."""
    ranked = sorted(probability)
    gap = {}
    for t, p in zip(truth, probability, strict=True):
        middle = Fraction(bisect_left(ranked, p) + bisect_right(ranked, p) - 1, 2)
        gap.setdefault(bins * middle // len(ranked), []).append(p - t)
    return math.fsum(abs(math.fsum(inside)) for inside in gap.values()) / len(ranked)


def log_r2(truth, forecast):
    """1 − the squared errors of the logarithms over those of their own mean."""
    logs = [math.log(v) for v in truth]
    mean = math.fsum(logs) / len(logs)
    errors = [(v - math.log(f)) ** 2 for v, f in zip(logs, forecast, strict=True)]
    return 1 - math.fsum(errors) / math.fsum((v - mean) ** 2 for v in logs)


def qlike(truth, forecast):
    """Mean of the ratio of variances, less its logarithm, less one."""
    ratios = [(v / f) ** 2 for v, f in zip(truth, forecast, strict=True)]
    return math.fsum(r - math.log(r) - 1 for r in ratios) / len(ratios)


def lead_s(alarm_seconds, first, horizon_s):
    """From the first alarm of an episode's warning window to its onset; None without one."""
    window = range(first - horizon_s, first + horizon_s)
    inside = [t for t in alarm_seconds if t in window]
    return first + horizon_s - min(inside) if inside else None


def alerts(alarm_seconds, episodes, horizon_s):
    """(all, false): alarms gathered for a horizon each, false where none touches an episode."""
    gathered = []
    for t in sorted(alarm_seconds):
        if gathered and t < gathered[-1][0] + horizon_s:
            gathered[-1].append(t)
        else:
            gathered.append([t])
    false = [
        alert
        for alert in gathered
        if not any(first - horizon_s <= t <= last for t in alert for first, last in episodes)
    ]
    return len(gathered), len(false)
