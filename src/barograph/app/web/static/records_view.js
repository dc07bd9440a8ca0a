// A case of single records on the page: how many come, how fast they are scored, and with what result.

import { get } from "./api.js";
import { letterRows, showModel } from "./cards.js";
import { byId, h, setText, showFacts } from "./dom.js";
import { milliseconds, percent, rate, UNKNOWN, whole } from "./figures.js";
import { clock, NS } from "./times.js";
import { verdictShort } from "./words.js";

const SHOWN = 50;

export class RecordsView {
  constructor(facts, paths) {
    this._facts = facts;
    this._paths = paths;
    this._newest = [];
    this._status = null;
    this._changed = true;
  }

  close() {}

  alarming() {
    return [];
  }

  predicted(prediction) {
    this._newest = [prediction, ...this._newest.filter((each) => each.key !== prediction.key)].slice(0, SHOWN);
    this._changed = true;
  }

  status(status) {
    this._status = status;
  }

  gap() {}

  alert() {}

  async catchUp() {
    const { predictions } = await get(this._paths.predictions, { limit: SHOWN });
    for (const prediction of predictions) this.predicted(prediction);
    this.draw();
  }

  draw(nowS = this._nowS ?? Date.now() / 1000) {
    this._nowS = nowS;
    const records = this._status?.records;
    if (records) {
      this._counters(records);
      this._spread(records);
      this._letters(records);
    }
    showModel(byId("records-model"), this._status?.model, nowS, "Records get no probability until one is.");
    if (this._changed) this._latest(nowS);
    this._changed = false;
  }

  redraw() {
    this._changed = true;
    delete byId("records-model").dataset.shown;
    this.draw();
  }

  _counters(records) {
    const last = Object.values(records.verdicts).reduce((sum, count) => sum + count, 0);
    const counters = [
      ["Records scored", whole(records.predictions)],
      ["Records a second, last minute", rate(records.per_s)],
      ["Delay, typical", milliseconds(records.latency_p50_ms)],
      ["Delay, worst 1 %", milliseconds(records.latency_p99_ms)],
      [`Said yes, of the last ${whole(last)}`, whole(records.labelled)],
    ];
    const list = byId("record-counters");
    const wanted = JSON.stringify(counters);
    if (list.dataset.shown === wanted) return;
    list.dataset.shown = wanted;
    list.replaceChildren(...counters.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  _spread(records) {
    const element = byId("spread");
    const wanted = JSON.stringify(records.histogram);
    if (element.dataset.shown === wanted) return;
    element.dataset.shown = wanted;
    const most = Math.max(1, ...records.histogram);
    const total = records.histogram.reduce((sum, count) => sum + count, 0);
    const width = 100 / records.histogram.length;
    if (!total) {
      element.replaceChildren(h("p", { class: "quiet" }, "No record has a probability yet."));
      return;
    }
    element.replaceChildren(...records.histogram.map((count, i) => {
      const bar = h("i", { "aria-hidden": "true" });
      bar.style.width = `${(100 * count) / most}%`;
      bar.hidden = count === 0;
      const range = `${Math.round(i * width)} to ${Math.round((i + 1) * width)} %`;
      return h("div", { class: "bar" }, h("span", {}, range), h("div", {}, bar), h("span", {}, whole(count)));
    }), h("p", { class: "quiet" }, `Of ${whole(total)} records with a probability.`));
  }

  _letters(records) {
    const element = byId("letters");
    const wanted = JSON.stringify(records.dead_letters);
    if (element.dataset.shown === wanted) return;
    element.dataset.shown = wanted;
    const list = h("dl", { class: "facts" });
    showFacts(list, letterRows(records.dead_letters));
    element.replaceChildren(list, h("p", { class: "model-about" }, `To read them: barograph deadletters list --case ${this._facts.name}`));
  }

  _latest(nowS) {
    if (!this._newest.length) {
      byId("latest").replaceChildren(h("p", { class: "quiet" }, "No record has been scored yet."));
      return;
    }
    const head = h("tr", {}, ...["Time", "Record", "Probability", "Said"].map((name) => h("th", { scope: "col", class: name === "Probability" ? "number" : null }, name)));
    const rows = this._newest.map((each) => h("tr", {},
      h("td", {}, each.time_ns ? clock(each.time_ns / NS, nowS) : UNKNOWN),
      h("td", {}, each.key),
      h("td", { class: "number" }, percent(each.probability)),
      h("td", {}, each.probability === null ? verdictShort(each.verdict) : each.label ? "yes" : "no")));
    byId("latest").replaceChildren(h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows)));
  }
}
