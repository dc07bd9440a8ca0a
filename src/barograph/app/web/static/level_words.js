// A forecast of a value in words and numbers: what is expected, from where to where, and what came. No DOM.

import { heldIn, newestForecast } from "./fan.js";
import { digits, exponent, percent, scaledUnit, UNKNOWN } from "./figures.js";
import { clock, horizonWords } from "./times.js";
import { capital } from "./words.js";

/** What the value of a case is called: volatility where its unit is one, else its name. */
export function valueName({ value, unit }) {
  return unit.includes("/√") ? "Volatility" : capital(value.replaceAll("_", " "));
}

const scaled = (value, power) => digits(value / 10 ** power, 2);

/** "0.21 to 0.85", each in units of 10^power. */
export function rangeText(low, high, power) {
  return known(low) && known(high) ? `${scaled(low, power)} to ${scaled(high, power)}` : "no interval yet";
}

export function known(value) {
  return typeof value === "number";
}

/** "Next hour: 0.42, 90 % from 0.21 to 0.85 (10⁻³ 1/√h)"; empty without a forecast. */
export function expected(latest, facts) {
  if (!known(latest.median)) return "";
  const power = exponent(latest.high ?? latest.median);
  const range = known(latest.low) ? `, ${percent(facts.coverage)} from ${rangeText(latest.low, latest.high, power)}` : "";
  return `Next ${horizonWords(facts.horizon_s)}: ${scaled(latest.median, power)}${range} (${scaledUnit(power, facts.unit)})`;
}

/** [strong, rest] above the chart: the value at a moment beside its forecast, or now and what comes next. */
export function levelReading(fan, timeS, power, facts) {
  const newest = newestForecast(fan);
  const ahead = timeS === null;
  const at = ahead ? fan.value.findLastIndex(known) : fan.time.lastIndexOf(timeS);
  const strong = at >= 0 && known(fan.value[at]) ? scaled(fan.value[at], power) : UNKNOWN;
  if (ahead) return [strong, newest < 0 ? "no forecast" : `next ${horizonWords(facts.horizon_s)} ${rangeText(fan.low[newest], fan.high[newest], power)}`];
  if (!known(fan.median[at])) return [strong, "no forecast of then"];
  const came = { true: ", held", false: ", outside" }[fan.inside[at]] ?? "";
  return [strong, `forecast ${rangeText(fan.low[at], fan.high[at], power)}${came}`];
}

/** "Of 168 intervals, 150 held the value that came: 89 %, promised 90 %."; empty without any. */
export function heldText(fan, fromS, toS, coverage) {
  const { held, matured } = heldIn(fan, fromS, toS);
  if (!matured) return "";
  return ` Of ${matured} intervals ${held} held the value that came: ${percent(held / matured)}, promised ${percent(coverage)}.`;
}

/** The chart in a sentence, for those who cannot see it. */
export function levelLabel(fan, view, power, facts, nowS) {
  const values = fan.value.filter((value, i) => known(value) && fan.time[i] >= view.fromS);
  const unit = scaledUnit(power, facts.unit);
  const seen = values.length ? `from ${scaled(Math.min(...values), power)} to ${scaled(Math.max(...values), power)}, now ${scaled(values.at(-1), power)} ${unit}` : "not known";
  const at = newestForecast(fan);
  const next = at < 0 ? "No forecast." : `Forecast for ${clock(fan.time[at], nowS)}: ${scaled(fan.median[at], power)}, ${percent(facts.coverage)} from ${rangeText(fan.low[at], fan.high[at], power)}.`;
  return `${seen}. ${next}${heldText(fan, view.fromS, view.toS, facts.coverage)}`;
}
