// The charts as a table, for those who read better than they see: thirty stretches of the span, each
// with the most that happened in it, so that no spike, alarm or gap is between two rows.

import { h } from "./dom.js";
import { heldIn } from "./fan.js";
import { exponent, percent, price, scaledUnit, UNKNOWN } from "./figures.js";
import { known, rangeText } from "./level_words.js";
import { clock, NS } from "./times.js";
import { capital, cause, verdictShort } from "./words.js";

const ROWS = 30;
const HEAD = ["Until", "Price", "Volatility of tau, highest", "Probability, highest", "Alarm, or why not", "What came"];
const CAME = { miss: "missed spike", hit: "hit", false: "false alarm", pending: "not known yet", unseen: "not observed" };

const LEVEL_HEAD = ["Forecast interval, last", "Intervals that held"];

/** drawn: {series, fan, alarms, spikes, gaps, fromS, toS}. Newest first. */
export function chartTable(drawn, product, nowS) {
  const { series, fromS, toS } = drawn;
  const pitchS = (toS - fromS) / ROWS;
  const rows = [];
  for (let i = 0; i < ROWS; i += 1) {
    const endS = toS - i * pitchS;
    if (series.length && endS > series.time[0] - series.stepS) rows.push(row(drawn, endS - pitchS, endS, nowS));
  }
  const head = [...HEAD, ...(drawn.fan ? LEVEL_HEAD : [])].map((name, i) => h("th", { scope: "col", class: i > 0 && i < 4 ? "number" : null }, name));
  return h("table", {}, h("caption", { class: "unseen" }, `${product}, newest first`), h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows));
}

function row({ series, fan, alarms, spikes, gaps }, fromS, endS, nowS) {
  const within = series.time.map((_, i) => i).filter((i) => series.time[i] > fromS && series.time[i] <= endS);
  const most = (values) => within.reduce((top, i) => (values[i] !== null && (top === null || values[i] > top) ? values[i] : top), null);
  const last = within.findLast((i) => series.mid.last[i] !== null);
  const shares = series.volatility.max.map((value, i) => (value !== null && series.tau[i] ? value / series.tau[i] : null));
  const touches = (run) => series.time[run.to] > fromS && series.time[run.from] - series.stepS < endS;
  const kinds = new Set([...alarms, ...spikes].filter(touches).map((run) => run.kind));
  const why = [
    ...(within.some((i) => series.alarm[i]) ? ["alarm"] : []),
    ...gaps.filter((gap) => gap.end_ns / NS > fromS && gap.start_ns / NS < endS).map((gap) => `gap: ${cause(gap.cause)}`),
    ...within.map((i) => series.verdict[i]).filter((verdict) => verdict && verdict !== "PREDICTED").map((verdict) => verdictShort(verdict).toLowerCase()),
  ];
  const came = Object.keys(CAME).filter((kind) => kinds.has(kind)).map((kind) => CAME[kind]);
  return h("tr", {},
    h("td", {}, clock(endS, nowS)),
    h("td", { class: "number" }, last === undefined ? UNKNOWN : price(series.mid.last[last])),
    h("td", { class: "number" }, percent(most(shares))),
    h("td", { class: "number" }, percent(most(series.probability.max))),
    h("td", {}, capital([...new Set(why)].join(", ")) || "No"),
    h("td", {}, capital(came.join(", "))),
    ...(fan ? level(fan, fromS, endS) : []));
}

function level(fan, fromS, endS) {
  const last = fan.time.findLastIndex((timeS, i) => timeS > fromS && timeS <= endS && known(fan.low[i]));
  const { held, matured } = heldIn(fan, fromS, endS);
  const power = last < 0 ? 0 : exponent(fan.high[last]);
  const range = last < 0 ? UNKNOWN : `${rangeText(fan.low[last], fan.high[last], power)} ${power ? scaledUnit(power, "") : ""}`;
  return [h("td", {}, range), h("td", {}, matured ? `${held} of ${matured}` : UNKNOWN)];
}
