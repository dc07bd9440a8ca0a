// The cards about the feed, the model and the alerts.

import { h, showFacts } from "./dom.js";
import { digits, milliseconds, percent, rate, UNKNOWN, whole } from "./figures.js";
import { clock, day, duration, NS } from "./times.js";
import { alertOutcome, fault, plural } from "./words.js";

const SHOWN_ALERTS = 40;

/** How the data comes in; what a case has no number for is left out. */
export function showFeed(list, feed) {
  if (!feed) return showFacts(list, [["State", "Nothing known yet"]]);
  const rows = [];
  if ("ticks_per_s" in feed) rows.push(["Ticks a second", rate(feed.ticks_per_s)]);
  rows.push(
    ["Delay, typical", milliseconds(feed.latency_p50_ms), "from receipt to prediction"],
    ["Delay, worst 1 %", milliseconds(feed.latency_p99_ms)],
  );
  if ("clock_offset_ms" in feed) rows.push(["Clock offset", signedMs(feed.clock_offset_ms), "ours less the exchange's"]);
  if ("reconnects" in feed) rows.push(["Reconnects", whole(feed.reconnects)]);
  return showFacts(list, [...rows, ...letterRows(feed.dead_letters)]);
}

/** Dead letters by reason, as rows. */
export function letterRows(letters) {
  const counts = Object.entries(letters ?? {}).filter(([, count]) => count > 0);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const reasons = counts.sort((a, b) => b[1] - a[1]).map(([name, count]) => `${whole(count)} × ${fault(name)}`);
  return [["Dead letters", total ? whole(total) : "none", reasons.join(", ")]];
}

function signedMs(value) {
  return value > 0 ? `+${milliseconds(value)}` : milliseconds(value);
}

/** Which model speaks, since when, until when, and what it was worth so far beside what was promised. */
export function showModel(element, model, nowS, without = "Until then a simple method speaks, as soon as it has seen enough.") {
  const wanted = JSON.stringify([model, Math.floor(nowS / 60)]);
  if (element.dataset.shown === wanted) return;
  element.dataset.shown = wanted;
  if (!model?.label) {
    element.replaceChildren(h("p", { class: "quiet" }, `No model has been promoted yet. ${without}`));
    return;
  }
  const list = h("dl", { class: "facts" });
  const rows = [["Champion", model.label]];
  if (model.since_ns) rows.push(["Since", clock(model.since_ns / NS, nowS)]);
  if (model.expires_ns) rows.push(expiry(model.expires_ns / NS, nowS));
  rows.push(["Shadow", model.candidate ? `${model.candidate}, on trial` : "none"]);
  showFacts(list, rows);
  const card = h("p", { class: "model-about" }, h("a", { href: `v1/model/card?${new URLSearchParams({ case: model.label.split("/")[0] })}` }, "Model card: how it was tested"));
  element.replaceChildren(list, worth(model), card);
}

function expiry(endS, nowS) {
  if (endS <= nowS) return ["Expired", day(endS), "it says nothing any more; train a new one"];
  return ["Good until", day(endS), `${duration(endS - nowS)} left`];
}

function worth(model) {
  const { live, promised } = model;
  if (!live && !promised) return h("p", { class: "model-about" }, "Nothing is known yet of how good it was.");
  const row = (name, hint, show) =>
    h("tr", {}, h("th", { scope: "row", title: hint }, name), h("td", { class: "number" }, show(live)), h("td", { class: "number" }, show(promised)));
  const head = h("tr", {}, h("td"), h("th", { class: "number", scope: "col" }, "live"), h("th", { class: "number", scope: "col" }, "promised"));
  const value = (name, write) => (of) => (of && of[name] !== undefined ? write(of[name]) : UNKNOWN);
  const ofLevel = (live ?? promised).coverage === undefined ? [] : [
    row("QLIKE", "loss of the forecast of the value; 0 is best", value("qlike", (v) => digits(v, 3))),
    row("Log R²", "share of the variance of the log value that is foreseen; 1 is best", value("log_r2", (v) => digits(v, 3))),
    row("Coverage", "share of values within their interval", value("coverage", percent)),
  ];
  const table = h("table", { class: "model-table" }, h("thead", {}, head), h("tbody", {}, ...ofLevel,
    row("PR-AUC", "1 is perfect; the base rate is what guessing gets", value("pr_auc", (v) => digits(v, 2))),
    row("Base rate", "share of spikes", value("base_rate", percent)),
    row("Calibration error", "how far probabilities are from what happened; 0 is best", value("calibration_error", (v) => digits(v, 3))),
    row("Brier score", "mean squared error of the probabilities; 0 is best", value("brier", (v) => digits(v, 3)))));
  const rows = live?.rows ?? live?.matured;
  const about = rows ? `Live: ${plural(whole(rows), "prediction", "predictions")} that came due.` : "Live: nothing has come due yet.";
  return h("div", {}, table, h("p", { class: "model-about" }, about));
}

/** Alerts, newest first, each with what became of it. */
export function showAlerts(list, alerts, nowS) {
  const newest = [...alerts.values()].sort((a, b) => b.started_ns - a.started_ns).slice(0, SHOWN_ALERTS);
  const rows = newest.map((alert) => [alert.id, alert.started_ns, alert.text, alertOutcome(alert, nowS)]);
  const wanted = JSON.stringify(rows);
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  if (!rows.length) {
    list.replaceChildren(h("li", { class: "quiet" }, "None yet."));
    return;
  }
  list.replaceChildren(...rows.map(([id, startedNs, text, { text: outcome, kind }]) => h("li", { "data-alert": id },
    h("time", { datetime: new Date(startedNs / 1e6).toISOString() }, clock(startedNs / NS, nowS)),
    h("span", { class: `outcome ${kind}` }, outcome),
    h("span", { class: "what" }, text))));
}
