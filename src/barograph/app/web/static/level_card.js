// The card about the forecast of a value: each horizon with its interval, and how often intervals held.

import { get } from "./api.js";
import { byId, h, setText } from "./dom.js";
import { digits, exponent, percent, scaledUnit } from "./figures.js";
import { known, rangeText } from "./level_words.js";
import { horizonWords } from "./times.js";
import { verdictShort } from "./words.js";

const LEAST_MS = 3000; // between two requests, however fast predictions come
const AGAIN_MS = 60_000; // other horizons of the fan send no event here

export class LevelCard {
  /** facts: of the case; without a `coverage` it forecasts no value and the card stays hidden. */
  constructor(facts, paths) {
    this._paths = paths;
    this._shown = facts.coverage !== null && facts.coverage !== undefined;
    this._product = null;
    this._askedMs = 0;
    this._stale = true;
    byId("level-card").hidden = !this._shown;
    byId("level").replaceChildren();
  }

  close() {
    this._shown = false;
    byId("level-card").hidden = true;
  }

  /** A new prediction of a product. */
  predicted(product) {
    if (product === this._product) this._stale = true;
  }

  /** Show what is known of a product, and ask for it where something may be new. */
  draw(product) {
    if (!this._shown || !product) return;
    const other = product !== this._product;
    const agoMs = Date.now() - this._askedMs;
    if (!other && agoMs < (this._stale ? LEAST_MS : AGAIN_MS)) return;
    this._product = product;
    this._stale = false;
    this._askedMs = Date.now();
    get(this._paths.forecast, { key: product })
      .then(({ forecasts }) => {
        if (this._shown && product === this._product) show(product, forecasts[0]);
      })
      .catch(() => {}); // asked again in a minute, or with the next prediction
  }
}

function show(product, { fan }) {
  setText(byId("level-title"), `${product}, forecast`);
  const most = Math.max(...fan.flatMap(({ high, median, value_now }) => [high, median, value_now].filter(known)), 0);
  const power = exponent(most);
  const rows = fan.map((each) => horizon(each, most || 1, power));
  const unit = scaledUnit(power, fan[0].unit);
  const about = `In ${unit}. Bar: the interval; mark on it: as likely above as below; dot: now. “Held” counts intervals whose value came.`;
  byId("level").replaceChildren(h("ul", { class: "horizons" }, ...rows), h("p", { class: "model-about" }, about));
}

function horizon(each, most, power) {
  const share = (value) => `${(100 * value) / most}%`;
  const bar = h("span", { class: "range", "aria-hidden": "true" }, h("i"), h("b"), h("u"));
  const [interval, median, now] = bar.children;
  interval.hidden = !known(each.low);
  median.hidden = !known(each.median);
  now.hidden = !known(each.value_now);
  if (known(each.low)) {
    interval.style.left = share(each.low);
    interval.style.width = share(each.high - each.low);
  }
  if (known(each.median)) median.style.left = share(each.median);
  if (known(each.value_now)) now.style.left = share(each.value_now);
  const expects = known(each.median) ? digits(each.median / 10 ** power, 2) : verdictShort(each.verdict) || "No value";
  const held = each.matured ? `held ${percent(each.held / each.matured)} of ${each.matured}` : "none came due yet";
  const range = known(each.median) ? rangeText(each.low, each.high, power) : "–";
  const about = !known(each.median) && each.verdict === "PREDICTED" ? each.reason : `${percent(each.coverage)}: ${range}`;
  return h("li", {},
    h("span", { class: "name" }, `Next ${horizonWords(each.horizon_s)}`),
    h("span", { class: "number" }, h("b", {}, expects)),
    bar,
    h("small", {}, about),
    h("small", { class: "number" }, held));
}
