// A series case on the page: a tile for each product, the charts of one, its table and its cards.

import { get } from "./api.js";
import { showAlerts, showFeed, showModel } from "./cards.js";
import { drawKey } from "./chart_marks.js";
import { Charts } from "./charts.js";
import { chartTable } from "./chart_table.js";
import { byId, h, radios, setText } from "./dom.js";
import { digits, percent, price, scaledUnit, UNKNOWN } from "./figures.js";
import { fanOf } from "./fan.js";
import { LevelCard } from "./level_card.js";
import { heldText, levelLabel, levelReading, valueName } from "./level_words.js";
import { alarmRuns, spikeRuns, tally } from "./outcomes.js";
import { Series, spansOf, stepFor } from "./series.js";
import { Tiles } from "./tiles.js";
import { clock, NS, spanWords, within } from "./times.js";
import { capital, cause, gapText, listed, plural, verdictShort } from "./words.js";

const WAITING_S = 8;
const TABLE_MS = 10_000;
const KEPT_ALERTS = 500;
const PLOTS = ["price", "volatility", "level", "probability", "outcome"];
const KEY = { hit: "hit: an alarm, and a spike came", false: "false alarm: none came", miss: "miss: a spike without an alarm", pending: "not known yet" };
const LEVEL_KEY = { held: "value that its forecast interval held", outside: "value outside it" };
const OLD_S = 15;

export class SeriesView {
  /** facts: of the case; choice: {product, spanS}; `onChoice(choice)` when the user changes it. */
  constructor(facts, paths, choice, onChoice) {
    this._facts = facts;
    this._paths = paths;
    this._spans = spansOf(facts.step_s);
    const offered = this._spans.some(([spanS]) => spanS === choice.spanS);
    this._choice = { ...choice, spanS: offered ? choice.spanS : this._spans[1][0] };
    this._hasLevel = facts.coverage !== null && facts.coverage !== undefined;
    this._aheadS = this._hasLevel ? facts.horizon_s : 0;
    this._oldS = Math.max(OLD_S, 2 * facts.step_s);
    this._onChoice = onChoice;
    this._latest = new Map();
    this._held = new Map();
    this._loading = new Map();
    this._alerts = new Map();
    this._index = null;
    this._tableMs = 0;
    this._tailMs = Date.now();
    this._levelCard = new LevelCard(facts, paths);
    this._tiles = new Tiles(byId("tiles"), facts, this._oldS, (product) => this.choose({ product }));
    for (const key of facts.keys) this._tiles.add(key);
    this._charts = new Charts(this._figures(), (index) => this._pointAt(index));
    this._listen();
    this.choose({});
  }

  close() {
    this._abort.abort();
    this._tiles.clear();
    this._levelCard.close();
    this._charts.close();
  }

  get product() {
    return this._choice.product;
  }

  /** {series, fan, alarms, spikes, gaps, fromS, toS} of the charts. */
  get shown() {
    return this._drawn;
  }

  /** Whether a product has an alarm now: [product, latest] of each. */
  alarming(nowS) {
    return [...this._latest].filter(([, latest]) => latest.alarm && nowS - latest.time_ns / NS < this._oldS);
  }

  choose(changed) {
    this._choice = { ...this._choice, ...changed };
    this._choice.product ||= this._facts.keys[0] ?? null;
    this._tiles.choose(this.product);
    this._onChoice(this._choice);
    setText(byId("plots-title"), `${this.product ?? "No product yet"}, last ${spanWords(this._choice.spanS)}`);
    this._charts.pin(null);
    const held = this._series(false);
    if (this.product && !held) this.catchUp();
    this.draw();
  }

  // What comes in.

  predicted(prediction) {
    const earlier = this._latest.get(prediction.product);
    this._latest.set(prediction.product, { ...prediction, wait: earlier?.wait ?? null });
    if (!this.product) this.choose({ product: prediction.product });
    this._levelCard.predicted(prediction.product);
    for (const series of this._held.get(prediction.product)?.values() ?? []) series.add(prediction);
  }

  status(status) {
    for (const [product, now] of Object.entries(status.now)) {
      const known = this._latest.get(product);
      const newer = !known || known.time_ns < now.time_ns;
      this._latest.set(product, { horizon_s: this._facts.horizon_s, ...known, ...(newer ? now : {}), wait: now.wait });
      if (!this.product) this.choose({ product });
    }
    this._status = status;
  }

  gap(gap) {
    for (const series of this._held.get(gap.product)?.values() ?? []) series.addGap(gap);
    this._labelledMs = 0;
  }

  alert(alert) {
    if (!alert.case || alert.case === this._facts.name) this._alerts.set(alert.id, alert);
    if (this._alerts.size > KEPT_ALERTS) this._alerts.delete(this._alerts.keys().next().value);
  }

  /** Fetch what the held products lack, the shown one first: at the start, and after each break. */
  async catchUp() {
    const shown = this.product;
    const products = [shown, ...[...this._held.keys()].filter((key) => key !== shown)].filter(Boolean);
    for (const product of products) await this._load(product);
    this.draw();
  }

  /** One request at a time: what a second call may lack of the first is asked for behind it. */
  _load(product) {
    const { spanS } = this._choice;
    const stepS = stepFor(spanS, this._facts.step_s);
    const key = `${product} ${spanS}`;
    const running = this._loading.get(key);
    if (running) return running.then(() => this._load(product));
    const loading = this._fetch(product, spanS, stepS).finally(() => this._loading.delete(key));
    this._loading.set(key, loading);
    return loading;
  }

  async _fetch(product, spanS, stepS) {
    const held = this._held.get(product)?.get(spanS);
    const overlapS = this._facts.horizon_s + 2 * stepS;
    // Without a beginning the server takes the span before its newest row, however old that is.
    const part = held?.length ? { from: (held.completeS - overlapS) * NS } : { span: spanS + this._aheadS };
    const answer = await get(this._paths.series(product), { ...part, step: stepS });
    const series = held ?? new Series(stepS, this._facts.horizon_s, this._facts.step_s);
    series.merge(answer);
    // One span at a time for each product: what another one shows is fetched again when it is chosen.
    this._held.set(product, new Map([[spanS, series]]));
    if (product === this.product) this._freshen();
  }

  /** Draw, and write the texts beside the charts at once. */
  _freshen() {
    this._labelledMs = this._tableMs = 0;
    this.draw();
  }

  _series(orEmpty = true) {
    const held = this._held.get(this.product)?.get(this._choice.spanS);
    return held ?? (orEmpty ? new Series(stepFor(this._choice.spanS, this._facts.step_s), this._facts.horizon_s, this._facts.step_s) : null);
  }

  // What is shown.

  draw(nowS = this._nowS ?? Date.now() / 1000) {
    this._nowS = nowS;
    for (const [product, latest] of this._latest) this._tiles.show(product, latest, nowS);
    this._tiles.choose(this.product);
    this._drawCharts(nowS);
    this._levelCard.draw(this.product);
    showAlerts(byId("alerts"), this._alerts, nowS);
    showFeed(byId("feed"), this._status?.feed);
    showModel(byId("model"), this._status?.model, nowS);
    this._refetchTail();
  }

  _drawCharts(nowS) {
    const series = this._series();
    const { spanS } = this._choice;
    const newestS = series.newestS ?? nowS;
    // A log that ended long ago shows its last hours, not an empty chart.
    const untilS = nowS - newestS < spanS ? Math.max(nowS, newestS) : newestS;
    const [fromS, toS] = [untilS - spanS, untilS + this._aheadS];
    series.trim(fromS - this._aheadS - 2 * series.stepS);
    const alarms = alarmRuns(series);
    const spikes = spikeRuns(series);
    const waiting = series.length && untilS - newestS > Math.max(WAITING_S, 2 * series.stepS);
    const gaps = waiting ? [...series.gaps, { start_ns: newestS * NS, end_ns: untilS * NS, cause: "waiting" }] : series.gaps;
    const fan = this._hasLevel ? fanOf(series) : null;
    this._drawn = { series, fan, alarms, spikes, gaps, fromS, toS, caseStepS: this._facts.step_s };
    byId("plots").hidden = !series.length;
    this._emptyText(series);
    if (series.length) {
      this._charts.show(this._drawn);
      if (!this._marked) performance.mark("charts drawn");
      this._marked = true;
      this._scrub(fromS, untilS);
    }
    this._say(series, alarms, spikes, fromS);
    this._read();
    this._fillTable();
  }

  _emptyText(series) {
    const loading = this._loading.size > 0;
    byId("empty").hidden = series.length > 0;
    setText(byId("empty"), loading ? "Loading…" : "Nothing has been seen yet. The charts begin with the first second that is complete.");
  }

  _say(series, alarms, spikes, startS) {
    const counts = tally(series, alarms, spikes, startS);
    const came = [
      plural(counts.hit, "hit", "hits"),
      plural(counts.false, "false alarm", "false alarms"),
      plural(counts.miss, "missed spike", "missed spikes"),
      ...(counts.pending ? [`${counts.pending} not known yet`] : []),
      ...(counts.unseen ? [`${counts.unseen} that could not be observed`] : []),
    ];
    const { fan, toS } = this._drawn;
    const held = fan ? heldText(fan, startS, toS, this._facts.coverage) : "";
    setText(byId("tally"), series.length ? `In this time: ${listed(came)}.${held}` : "");
    if (this._labelledMs && Date.now() - this._labelledMs < TABLE_MS) return;
    this._labelledMs = Date.now();
    this._label(series, startS);
  }

  /** The charts in a sentence each, for those who cannot see them. */
  _label(series, startS) {
    const span = `over the last ${spanWords(this._choice.spanS)}`;
    const inSpan = (values) => values.filter((value, i) => value !== null && series.time[i] >= startS);
    const range = (column, write) => {
      const low = inSpan(column.min);
      if (!low.length) return "not known";
      return `from ${write(Math.min(...low))} to ${write(Math.max(...inSpan(column.max)))}, now ${write(column.last.at(-1))}`;
    };
    const tau = inSpan(series.tau).at(-1);
    const ofTau = (value) => (tau ? `${percent(value / tau)} of tau` : digits(value));
    this._plots.price.setAttribute("aria-label", `Chart of the price of ${this.product} ${span}: ${range(series.mid, price)}.`);
    this._plots.volatility.setAttribute("aria-label", `Chart of volatility ${span}: ${range(series.volatility, ofTau)}.`);
    this._plots.probability.setAttribute("aria-label", `Chart of the probability of a spike ${span}: ${range(series.probability, percent)}.`);
    if (this._drawn.fan) {
      const words = levelLabel(this._drawn.fan, this._drawn, this._charts.power, this._facts, this._nowS);
      this._plots.level.setAttribute("aria-label", `Chart of ${valueName(this._facts).toLowerCase()} and its forecast ${span}: ${words}`);
    }
    const gaps = series.gaps.filter((gap) => gap.end_ns / NS > startS);
    const holes = gaps.length ? ` ${gaps.length === 1 ? "One gap" : `${gaps.length} gaps`}: ${gaps.slice(-5).map(gapText).join("; ")}.` : " No gaps.";
    this._plots.outcome.setAttribute("aria-label", `Alarms and what came of them ${span}. ${byId("tally").textContent}${holes}`);
  }

  _pointAt(index) {
    this._index = index;
    this._read();
  }

  /** The numbers above the charts: at the crosshair, or the newest. */
  _read() {
    const { series } = this._drawn ?? {};
    if (!series?.length) return;
    const at = this._index !== null && this._index < series.length ? this._index : series.length - 1;
    const timeS = series.time[at];
    const when = this._index === null ? "now" : clock(timeS, this._nowS);
    const tau = series.tau[at];
    const volatility = series.volatility.last[at];
    const share = tau && volatility !== null ? `${percent(volatility / tau)} of tau` : "tau not known";
    const probability = series.probability.last[at];
    const gap = this._drawn.gaps.find((each) => each.start_ns / NS <= timeS && timeS - series.stepS < each.end_ns / NS);
    const why = gap && probability === null ? cause(gap.cause) : verdictShort(series.verdict[at]);
    reading(this._plots.price, when, price(series.mid.last[at]));
    reading(this._plots.volatility, volatility === null ? UNKNOWN : digits(volatility / 10 ** this._charts.power, 2), share);
    const { fan } = this._drawn;
    const level = fan ? levelReading(fan, this._index === null ? null : timeS, this._charts.power, this._facts) : [];
    if (fan) reading(this._plots.level, ...level);
    const limit = series.threshold[at] === null ? "" : `threshold ${percent(series.threshold[at])}`;
    reading(this._plots.probability, probability === null ? why || UNKNOWN : percent(probability), limit);
    const run = [...this._drawn.alarms, ...this._drawn.spikes].find((each) => each.from <= at && at <= each.to);
    reading(this._plots.outcome, run ? KEY[run.kind]?.split(":")[0] ?? "could not be observed" : "no alarm, no spike", "");
    const unit = scaledUnit(this._charts.power, this._facts.unit);
    setText(this._unit, `in ${unit}, dashed: tau`);
    setText(this._levelUnit, `in ${unit}`);
    this._speak(clock(timeS, this._nowS), price(series.mid.last[at]), share, probability === null ? why : percent(probability), level.join(", "));
  }

  _speak(when, mid, share, probability, level) {
    const words = [when, mid === UNKNOWN ? null : `price ${mid}`, `volatility ${share}`, level, `probability ${probability || "not known"}`];
    byId("scrub").setAttribute("aria-valuetext", words.filter(Boolean).join(", "));
  }

  _scrub(fromS, toS) {
    const scrub = byId("scrub");
    scrub.parentElement.style.setProperty("--ahead", this._aheadS / (this._aheadS + toS - fromS));
    scrub.step = this._drawn.series.stepS;
    scrub.min = Math.floor(fromS);
    scrub.max = Math.ceil(toS);
    if (!this._pinned) scrub.value = scrub.max;
  }

  _fillTable() {
    if (!byId("table").open || Date.now() - this._tableMs < TABLE_MS) return;
    this._tableMs = Date.now();
    byId("table-body").replaceChildren(chartTable(this._drawn, this.product, this._nowS));
  }

  // Where a bucket is longer than a step of the case, what came of its predictions is asked for.
  _refetchTail() {
    const series = this._series(false);
    if (!series || series.stepS === this._facts.step_s || Date.now() - this._tailMs < this._facts.horizon_s * 1000) return;
    this._tailMs = Date.now();
    this._load(this.product).catch(() => {}); // the next one comes in a minute
  }

  redraw() {
    this._tableMs = this._labelledMs = 0;
    for (const id of ["alerts", "model"]) delete byId(id).dataset.shown;
    for (const canvas of byId("key").querySelectorAll("canvas")) drawKey(canvas, canvas.dataset.kind);
    this._charts.redraw();
    this.draw();
  }

  // What is made once.

  _figures() {
    const horizon = within(this._facts.horizon_s);
    const names = {
      price: [h("i", { class: "swatch price" }), "Price"],
      volatility: [h("i", { class: "swatch volatility" }), "Volatility "],
      level: [h("i", { class: "swatch volatility" }), `${valueName(this._facts)} and `, h("i", { class: "swatch band" }), "its forecast "],
      probability: [h("i", { class: "swatch probability" }), `Probability of a spike within ${horizon} `],
      outcome: ["What was said, and what came "],
    };
    this._unit = h("small");
    this._levelUnit = h("small");
    const small = { volatility: this._unit, level: this._levelUnit, probability: h("small", { class: "hint" }, "dashed: threshold"), outcome: h("small", { class: "hint" }, `a spike is marked ${horizon} ahead, where it could be foreseen`) };
    this._plots = {};
    for (const name of PLOTS) {
      this._plots[name] = h("div", { role: "img", "aria-label": capital(name) });
      const caption = h("figcaption", {}, h("span", { class: "name" }, ...names[name], small[name]), h("span", { class: "reading" }, h("b"), " ", h("span")));
      byId(`plot-${name}`).replaceChildren(caption, this._plots[name]);
    }
    const marks = Object.entries({ ...KEY, ...(this._hasLevel ? LEVEL_KEY : {}) }).map(([kind, text]) => h("li", {}, h("canvas", { "data-kind": kind, "aria-hidden": "true" }), text));
    byId("key").replaceChildren(...marks, h("li", {}, h("i", { class: "swatch gap" }), "gap: nothing was heard"));
    for (const canvas of byId("key").querySelectorAll("canvas")) drawKey(canvas, canvas.dataset.kind);
    return this._plots;
  }

  _listen() {
    this._abort = new AbortController();
    const { signal } = this._abort;
    radios(byId("spans"), "span", this._spans, this._choice.spanS, (spanS) => this.choose({ spanS }));
    const scrub = byId("scrub");
    scrub.addEventListener("input", () => {
      this._pinned = Number(scrub.value) < Number(scrub.max);
      this._charts.pin(this._pinned ? Number(scrub.value) : null);
    }, { signal });
    byId("table").addEventListener("toggle", () => {
      this._tableMs = 0;
      this._fillTable();
    }, { signal });
  }
}

function reading(plot, strong, rest) {
  const [bold, other] = plot.parentElement.querySelectorAll(".reading > *");
  setText(bold, strong);
  setText(other, rest);
}
