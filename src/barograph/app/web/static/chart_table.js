// The charts as a table, for those who read better than they see: thirty moments of the span.

import { h } from "./dom.js";
import { percent, price, UNKNOWN } from "./figures.js";
import { clock, NS } from "./times.js";
import { cause, verdictShort } from "./words.js";

const ROWS = 30;

/** drawn: {series, alarms, spikes, gaps, fromS, toS}. Newest first. */
export function chartTable({ series, alarms, spikes, gaps, fromS, toS }, product, nowS) {
  const head = h("tr", {}, ...["Time", "Price", "Volatility, of tau", "Probability", "Alarm, or why not", "What came"].map((name, i) => h("th", { scope: "col", class: i > 0 && i < 4 ? "number" : null }, name)));
  const rows = [];
  const pitchS = (toS - fromS) / ROWS;
  let nextS = Infinity;
  for (let i = series.length - 1; i >= 0 && series.time[i] >= fromS; i -= 1) {
    if (series.time[i] > nextS) continue;
    nextS = series.time[i] - pitchS;
    rows.push(row(series, i, gaps, [...alarms, ...spikes], nowS));
  }
  return h("table", {}, h("caption", { class: "unseen" }, `${product}, newest first`), h("thead", {}, head), h("tbody", {}, ...rows));
}

function row(series, i, gaps, runs, nowS) {
  const timeS = series.time[i];
  const tau = series.tau[i];
  const value = series.volatility.last[i];
  const gap = gaps.find((each) => each.start_ns / NS <= timeS && timeS - series.stepS < each.end_ns / NS);
  const silent = series.verdict[i] === null ? `gap: ${cause(gap?.cause)}` : verdictShort(series.verdict[i]);
  const run = runs.find((each) => each.from <= i && i <= each.to);
  const came = { hit: "hit", false: "false alarm", miss: "missed spike", pending: "not known yet", unseen: "not observed" };
  return h("tr", {},
    h("td", {}, clock(timeS, nowS)),
    h("td", { class: "number" }, price(series.mid.last[i])),
    h("td", { class: "number" }, tau && value !== null ? percent(value / tau) : UNKNOWN),
    h("td", { class: "number" }, percent(series.probability.last[i])),
    h("td", {}, series.alarm[i] ? "alarm" : silent || "no"),
    h("td", {}, run ? came[run.kind] : ""));
}
