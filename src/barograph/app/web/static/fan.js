// Forecasts of a value beside the values that came: each stands at the time that it is made for. No DOM.

const FORECASTS = ["median", "low", "high", "inside"];

/**
 * Columns over one time axis that reaches a horizon beyond the newest value: `value` and `tau` as they
 * were at `time`; `median`, `low` and `high` as they were forecast for it, `inside` whether the value
 * lay between them. Undefined is where a column has no point, null where it has one that is not known.
 */
export function fanOf(series) {
  const fan = { time: [], value: [], tau: [], median: [], low: [], high: [], inside: [] };
  let i = 0;
  let j = 0;
  while (j < series.length) {
    const nowS = i < series.length ? series.time[i] : Infinity;
    const dueS = series.time[j] + series.horizonS;
    const timeS = Math.min(nowS, dueS);
    const here = nowS === timeS;
    fan.time.push(timeS);
    fan.value.push(here ? series.volatility.last[i] : undefined);
    fan.tau.push(here ? series.tau[i] : undefined);
    for (const name of FORECASTS) fan[name].push(dueS === timeS ? series[name][j] : undefined);
    if (here) i += 1;
    if (dueS === timeS) j += 1;
  }
  return fan;
}

/** {held, matured}: of the intervals for a time in (fromS, toS] whose value came, how many held it. */
export function heldIn(fan, fromS, toS) {
  const counts = { held: 0, matured: 0 };
  fan.time.forEach((timeS, i) => {
    if (timeS <= fromS || timeS > toS || typeof fan.inside[i] !== "boolean") return;
    counts.matured += 1;
    if (fan.inside[i]) counts.held += 1;
  });
  return counts;
}

/** The index of the newest forecast, or -1. */
export function newestForecast(fan) {
  return fan.median.findLastIndex((value) => value !== null && value !== undefined);
}
