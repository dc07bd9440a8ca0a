// Price, value against tau or its forecast, probability against threshold and what came of it: one time
// axis, one crosshair.

import { colours } from "./chart_colours.js";
import { drawAlarms, drawGaps, drawHeld, drawNow, drawRibbon, drawSigns, drawSilent, labelGaps } from "./chart_marks.js";
import { exponent, percent, rounded } from "./figures.js";
import { isUtc, tickLabel } from "./times.js";

const HEIGHTS = { price: 176, volatility: 128, level: 220, probability: 128, outcome: 76 };
const LOW_HEIGHTS = { price: 140, volatility: 112, level: 190, probability: 112, outcome: 76 };
const AXIS_WIDTH = 64;
const RIGHT_MARGIN = 14;
const FONT = "11.5px system-ui, sans-serif";

/**
 * The plots in `elements` by name: a value that is forecast has `level` instead of `volatility`. `onCursor(index)` is called with the bucket under the
 * crosshair, or null. `show` gives them the data, `draw` draws what changed since.
 */
export class Charts {
  constructor(elements, onCursor) {
    this._elements = elements;
    this._onCursor = onCursor;
    this._plots = {};
    this._shape = "";
    this.view = null;
    this._pinnedS = null;
    this._sizes = new ResizeObserver(() => this._resize());
    this._sizes.observe(elements.probability.parentElement);
  }

  close() {
    this._sizes.disconnect();
    for (const plot of Object.values(this._plots)) plot.destroy();
    this._plots = {};
  }

  /** view: {series, fan, fromS, toS, gaps, alarms, spikes}; `gaps` are those to draw, `fan` may be null. */
  show(view) {
    const had = this.view;
    this.view = view;
    const hasPrice = view.series.mid.last.some((value) => value !== null);
    const shape = `${view.series.stepS > view.caseStepS} ${hasPrice} ${view.fan !== null}`;
    if (shape !== this._shape || !had) this._build(shape, hasPrice);
    // In the power of ten in which tile and card say the newest forecast.
    const newest = (view.fan?.high ?? []).findLast((high) => typeof high === "number");
    this._power = exponent(newest ?? largest([...view.series.volatility.max, ...view.series.tau]));
    for (const [name, plot] of Object.entries(this._plots)) plot.setData(this._data(name));
    this._place();
  }

  get power() {
    return this._power ?? 0;
  }

  /** After a change of theme or time zone. */
  redraw() {
    for (const plot of Object.values(this._plots)) plot.redraw(true, true);
  }

  /** Hold the crosshair at a moment, or let it go with null. */
  pin(timeS) {
    this._pinnedS = timeS;
    if (timeS === null) for (const plot of Object.values(this._plots)) plot.setCursor({ left: -10, top: -10 });
    this._place();
    if (timeS === null) this._onCursor(null);
  }

  _place() {
    if (this._pinnedS === null) return;
    for (const plot of Object.values(this._plots)) {
      plot.setCursor({ left: plot.valToPos(this._pinnedS, "x"), top: plot.height / 2 });
    }
  }

  _data(name) {
    const { series, fan } = this.view;
    if (name === "level") return [fan.time, fan.high, fan.low, fan.median, fan.value, fan.tau];
    if (name === "outcome") return [series.time, series.tau];
    const column = name === "price" ? series.mid : series[name];
    const limit = { price: [], volatility: [series.tau], probability: [series.threshold] }[name];
    const extremes = this._coarse ? [column.max, column.min] : [];
    return [series.time, ...extremes, column.last, ...limit];
  }

  _build(shape, hasPrice) {
    for (const plot of Object.values(this._plots)) plot.destroy();
    this._plots = {};
    this._shape = shape;
    this._coarse = shape.startsWith("true");
    const without = new Set([hasPrice ? null : "price", this.view.fan ? "volatility" : "level"]);
    for (const name of without) if (name) this._elements[name].parentElement.hidden = true;
    const names = Object.keys(HEIGHTS).filter((name) => !without.has(name));
    // Whose columns are those of the series.
    const first = names.find((name) => name !== "level");
    for (const name of names) {
      this._elements[name].parentElement.hidden = false;
      this._plots[name] = new uPlot(this._options(name, first), this._data(name), this._elements[name]);
    }
  }

  _options(name, firstName) {
    const lines = this._lines(name);
    return {
      width: this._width(),
      height: this._height(name),
      padding: [8, RIGHT_MARGIN, 0, 0],
      legend: { show: false },
      tzDate: (timeS) => (isUtc() ? uPlot.tzDate(new Date(timeS * 1e3), "Etc/UTC") : new Date(timeS * 1e3)),
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        sync: { key: "barograph", scales: ["x", null] },
        points: { size: 6 },
      },
      scales: { x: { time: true, range: () => [this.view.fromS, this.view.toS] }, y: { range: this._range(name) } },
      series: [{}, ...lines],
      bands: this._bands(name),
      axes: [this._timeAxis(name), this._valueAxis(name)],
      hooks: {
        drawClear: [(u) => this._behind(u, name)],
        draw: [(u) => this._before(u, name, firstName)],
        setCursor: name === firstName ? [(u) => this._moved(u)] : [],
      },
    };
  }

  _bands(name) {
    if (name === "level") return [{ series: [1, 2], fill: () => `${colours.probability}30` }];
    return this._coarse && name !== "outcome" ? [{ series: [1, 2], fill: () => `${colours[name]}40` }] : [];
  }

  _lines(name) {
    if (name === "outcome") return [{ scale: "y", paths: () => null, points: { show: false } }];
    if (name === "level") return levelLines();
    const line = { stroke: () => colours[name], width: 1.6, points: { show: false } };
    const edge = { stroke: () => `${colours[name]}66`, width: 0.8, points: { show: false } };
    const limit = { stroke: () => colours.limit, width: 1.4, dash: [6, 4], points: { show: false } };
    const extremes = this._coarse ? [edge, { ...edge }] : [];
    return [...extremes, line, ...(name === "price" ? [] : [limit])];
  }

  _range(name) {
    if (name === "outcome") return [0, 1];
    if (name === "price") return (u, low, high) => (low === null ? [0, 1] : padded(low, high));
    if (name === "volatility" || name === "level") return (u, low, high) => [0, high ? high * 1.12 : 1];
    return (u, low, high) => [0, [0.1, 0.25, 0.5, 0.75].find((top) => (high ?? 0) * 1.1 <= top) ?? 1];
  }

  _timeAxis(name) {
    const lowest = name === "outcome";
    return {
      font: FONT,
      stroke: () => colours.soft,
      grid: { stroke: () => colours.grid, width: 1 },
      ticks: { show: lowest, stroke: () => colours.grid, size: 5 },
      size: lowest ? 28 : 6,
      space: 84,
      values: (u, splits, axis, space, step) => splits.map((timeS) => (lowest ? tickLabel(timeS, step) : "")),
    };
  }

  _valueAxis(name) {
    const rows = name === "outcome";
    const text = {
      price: (value, step) => rounded(value, step),
      volatility: (value) => short(value / 10 ** this.power),
      level: (value) => short(value / 10 ** this.power),
      probability: (value) => percent(value),
      outcome: (value) => (value > 0.5 ? "Alarm" : "Spike"),
    }[name];
    return {
      font: FONT,
      stroke: () => colours.soft,
      grid: { show: !rows, stroke: () => colours.grid, width: 1 },
      ticks: { show: false },
      size: AXIS_WIDTH,
      gap: 6,
      space: 34,
      ...(rows ? { splits: () => [0.27, 0.73] } : {}),
      values: (u, splits, axis, space, step) => splits.map((value) => text(value, step)),
    };
  }

  _behind(u, name) {
    const { series, gaps, alarms } = this.view;
    drawGaps(u, gaps);
    if (name === "probability") drawAlarms(u, series, alarms);
  }

  _before(u, name, firstName) {
    const { series, fan, gaps, alarms, spikes } = this.view;
    if (fan && series.newestS !== null) drawNow(u, series.newestS);
    if (name === "level") drawHeld(u, fan);
    if (name === firstName) labelGaps(u, gaps);
    if (name === "probability") drawSilent(u, series);
    if (name === "price") drawSigns(u, series, [...alarms, ...spikes.filter((run) => run.kind === "miss")]);
    if (name === "outcome") drawRibbon(u, series, alarms, spikes);
  }

  _moved(u) {
    const { left, idx } = u.cursor;
    this._onCursor(left === null || left < 0 || idx === undefined ? null : idx);
  }

  _width() {
    return Math.max(220, this._elements.probability.parentElement.clientWidth);
  }

  _height(name) {
    return (window.innerWidth < 600 ? LOW_HEIGHTS : HEIGHTS)[name];
  }

  _resize() {
    for (const [name, plot] of Object.entries(this._plots)) {
      const size = { width: this._width(), height: this._height(name) };
      if (plot.width !== size.width || plot.height !== size.height) plot.setSize(size);
    }
  }
}

// The interval's ends, its median, what came, and tau.
function levelLines() {
  const line = (name, width, more) => ({ stroke: () => colours[name], width, points: { show: false }, ...more });
  const edge = { stroke: () => `${colours.probability}88`, width: 0.8, points: { show: false } };
  return [edge, { ...edge }, line("probability", 1.4, { dash: [3, 3] }), line("volatility", 1.8), line("limit", 1.4, { dash: [6, 4] })];
}

function padded(low, high) {
  const margin = high > low ? (high - low) * 0.12 : Math.abs(high) * 1e-4 || 1;
  return [low - margin, high + margin];
}

function largest(values) {
  let most = 0;
  for (const value of values) if (value !== null && value > most) most = value;
  return most;
}

function short(value) {
  return Number(value.toPrecision(3)).toString();
}
