// A tile for each product: what is expected of it now, and a radio button to choose it for the charts.

import { h, setText } from "./dom.js";
import { percent, price } from "./figures.js";
import { duration, NS, within } from "./times.js";
import { expected } from "./level_words.js";
import { verdict } from "./words.js";

export class Tiles {
  /** facts: of the case; a prediction older than `oldS` says nothing of now; `onChoose(product)` when another is picked. */
  constructor(fieldset, facts, oldS, onChoose) {
    this._fieldset = fieldset;
    this._facts = facts;
    this._oldS = oldS;
    this._onChoose = onChoose;
    this._tiles = new Map();
  }

  clear() {
    for (const tile of this._tiles.values()) tile.root.remove();
    this._tiles.clear();
  }

  choose(product) {
    for (const [name, tile] of this._tiles) tile.input.checked = name === product;
  }

  /** The tile of a product; one that is new is added. */
  _tile(product) {
    let tile = this._tiles.get(product);
    if (!tile) {
      tile = make(product, () => this._onChoose(product));
      this._tiles.set(product, tile);
      this._fieldset.append(tile.root);
    }
    return tile;
  }

  add(product) {
    setText(this._tile(product).title, "Waiting for data");
  }

  /** latest: the newest prediction, {…, share_of_tau, threshold, wait}; nowS: the server's time. */
  show(product, latest, nowS) {
    const tile = this._tile(product);
    const ageS = nowS - latest.time_ns / NS;
    const words = verdict(latest, latest.wait);
    const old = ageS >= this._oldS;
    const alarming = latest.alarm && !old;
    tile.root.classList.toggle("alarming", alarming);
    setText(tile.price, latest.mid === null ? "" : price(latest.mid));
    setText(tile.title, old ? `No data for ${duration(ageS)}` : words.title);
    tile.title.className = `tile-verdict${old ? " note" : alarming ? " going" : latest.probability === null ? " note" : ""}`;
    setText(tile.probability, old || latest.probability === null ? "" : percent(latest.probability));
    tile.title.classList.toggle("alone", tile.probability.textContent === "");
    setText(tile.line, old ? `Before that: ${words.title.toLowerCase()}.` : line(latest, words));
    fill(tile.meter, old ? null : latest.probability, latest.threshold, latest.wait);
    const share = latest.share_of_tau;
    setText(tile.share, old || share === null ? "" : `Volatility now: ${percent(share)} of tau, the limit`);
    tile.shareMeter.hidden = old || share === null;
    tile.shareMeter.firstChild.style.width = `${Math.min(100, (share ?? 0) * 100)}%`;
    tile.shareMeter.classList.toggle("over", share >= 1);
    setText(tile.level, old ? "" : expected(latest, this._facts));
    tile.level.hidden = tile.level.textContent === "";
  }
}

function line(latest, words) {
  if (latest.probability === null) return words.text;
  const limit = latest.threshold === null ? "" : `, alarm from ${percent(latest.threshold)}`;
  return `Probability of a spike within ${within(latest.horizon_s)}${limit}`;
}

// The meters repeat what the lines beside them say, so they are hidden from screen readers.
function make(product, onChange) {
  const input = h("input", { type: "radio", name: "product", value: product });
  input.addEventListener("change", onChange);
  const tile = {
    input,
    price: h("span", { class: "tile-price" }),
    title: h("span", { class: "tile-verdict" }),
    probability: h("span", { class: "tile-probability" }),
    meter: h("span", { class: "meter", "aria-hidden": "true" }, h("i"), h("b")),
    line: h("span", { class: "tile-line" }),
    shareMeter: h("span", { class: "meter share", "aria-hidden": "true" }, h("i")),
    share: h("span", { class: "tile-line" }),
    level: h("span", { class: "tile-line" }),
  };
  tile.root = h("label", { class: "tile", "data-product": product }, input,
    h("span", { class: "tile-name" }, product), tile.price, tile.title, tile.probability,
    tile.meter, tile.line, tile.shareMeter, tile.share, tile.level);
  return tile;
}

function fill(meter, probability, threshold, wait) {
  const [bar, mark] = meter.children;
  const waiting = probability === null && wait && wait.need > 0;
  // What is left may be more than what is counted now: after a warm-up the simple method learns.
  const waitS = waiting ? wait.have + wait.left_s : 0;
  meter.classList.toggle("wait", Boolean(waiting));
  meter.hidden = probability === null && !waiting;
  const share = waiting ? wait.have / Math.max(1, waitS) : (probability ?? 0);
  bar.style.width = `${Math.min(100, share * 100)}%`;
  mark.hidden = waiting || threshold === null;
  if (!mark.hidden) mark.style.left = `calc(${threshold * 100}% - 1px)`;
  meter.classList.toggle("over", !waiting && threshold !== null && probability >= threshold);
}
