// One product's past in buckets, and how a snapshot and single predictions join it. No DOM.

import { NS } from "./times.js";

const EXTREMES = ["mid", "volatility", "probability"];
const SINGLES = ["tau", "threshold", "alarm", "verdict", "outcome"];
const FORECASTS = ["median", "low", "high"];
const SPANS = [[900, "15 min"], [3600, "1 h"], [21600, "6 h"], [86400, "24 h"]];
const LONG_SPANS = [[86400, "24 h"], [604800, "7 d"], [2592000, "30 d"]];

/** The spans that can be chosen, [seconds, words] each; the second is the first shown. */
export function spansOf(caseStepS) {
  return caseStepS < 600 ? SPANS : LONG_SPANS;
}

/** The step in seconds that shows `spanS` in at most an hour's 3,600 points, or fewer. */
export function stepFor(spanS, caseStepS) {
  const wished = spanS <= 3600 ? 1 : spanS <= 6 * 3600 ? 10 : 60;
  return Math.max(1, Math.ceil(wished / caseStepS)) * caseStepS;
}

/**
 * Columns of equal length, one entry for each bucket of `stepS` seconds, in order of time.
 *
 * `time` is a bucket's end in seconds since 1970. `mid`, `volatility` and `probability` each have
 * `min`, `max` and `last`; null is not known. A bucket of nulls stands where seconds are missing, so
 * that no line is drawn across them. `median`, `low` and `high` are of the value `horizonS` later,
 * `inside` tells whether it lay between the two. Rows are `rowStepS` apart.
 */
export class Series {
  constructor(stepS, horizonS, rowStepS = 1) {
    this.stepS = stepS;
    this.rowStepS = rowStepS;
    this.horizonS = horizonS;
    this.gaps = [];
    this.newestS = null;
    this._clear();
  }

  _clear() {
    this.time = [];
    for (const name of EXTREMES) this[name] = { min: [], max: [], last: [] };
    for (const name of [...SINGLES, ...FORECASTS, "inside"]) this[name] = [];
  }

  *_columns() {
    yield this.time;
    for (const name of EXTREMES) yield* [this[name].min, this[name].max, this[name].last];
    for (const name of [...SINGLES, ...FORECASTS, "inside"]) yield this[name];
  }

  get length() {
    return this.time.length;
  }

  /** The time up to which all is here for sure: the end of the bucket before the newest. */
  get completeS() {
    return this.length ? this.time.at(-1) - this.stepS : null;
  }

  /** Join the answer of /v1/series: it replaces what is here from its own first bucket on. */
  merge(answer) {
    const first = answer.time_ns.length ? Math.round(answer.time_ns[0] / NS) : null;
    if (first !== null) {
      const newest = this.length ? this.time.at(-1) : null;
      const last = Math.round(answer.time_ns.at(-1) / NS);
      const later = newest !== null && newest > last ? this._cut(this._from(last + 1)) : null;
      this._truncate(this._from(first));
      for (let i = 0; i < answer.time_ns.length; i += 1) this._append(answer, i);
      if (later) this._rejoin(later);
      this.newestS = Math.max(this.newestS ?? 0, this.time.at(-1) - this.stepS + this.rowStepS);
    }
    for (const gap of answer.gaps) this.addGap(gap);
  }

  /** Take one prediction; returns whether it changed anything. Earlier ones than the newest do not. */
  add(prediction) {
    const timeS = Math.round(prediction.time_ns / NS);
    if (this.newestS !== null && timeS < this.newestS && this.stepS === this.rowStepS) return false;
    const bucketS = Math.ceil(timeS / this.stepS) * this.stepS;
    if (this.length && bucketS < this.time.at(-1)) return false;
    if (!this.length || bucketS > this.time.at(-1)) this._open(bucketS);
    const at = this.length - 1;
    const values = { mid: prediction.mid, volatility: prediction.value_now, probability: prediction.probability };
    for (const name of EXTREMES) widen(this[name], at, values[name]);
    for (const name of FORECASTS) this[name][at] = prediction[name] ?? this[name][at];
    if (prediction.tau !== null) this.tau[at] = prediction.tau;
    if (prediction.threshold !== null) this.threshold[at] = prediction.threshold;
    this.alarm[at] = this.alarm[at] || prediction.alarm;
    if (this.verdict[at] === null || this.verdict[at] === "PREDICTED") this.verdict[at] = prediction.verdict;
    this.newestS = timeS;
    this._mature(prediction);
    return true;
  }

  /** What a prediction says of the one a horizon before it: whether its tau was reached. */
  _mature({ matured }) {
    if (!matured) return;
    const at = this.indexOf(Math.ceil(Math.round(matured.time_ns / NS) / this.stepS) * this.stepS);
    if (at === null) return;
    this.outcome[at] = this.outcome[at] === true || matured.outcome;
    if (this.inside[at] !== false) this.inside[at] = matured.inside ?? this.inside[at];
  }

  addGap(gap) {
    const same = this.gaps.findIndex((other) => other.start_ns === gap.start_ns && other.cause === gap.cause);
    if (same >= 0) this.gaps[same] = gap;
    else this.gaps.push(gap);
  }

  /** Forget what ended before `startS`. */
  trim(startS) {
    const count = this._from(startS);
    // In lots: moving 3,600 entries of fourteen columns each second would be most of the work.
    if (count > 120) for (const column of this._columns()) column.splice(0, count);
    if (this.gaps.length) this.gaps = this.gaps.filter((gap) => gap.end_ns / NS >= startS);
  }

  indexOf(bucketS) {
    const at = this._from(bucketS);
    return this.time[at] === bucketS ? at : null;
  }

  /** The first index whose time is not before `timeS`. */
  _from(timeS) {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time[middle] < timeS) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  _truncate(count) {
    for (const column of this._columns()) column.length = count;
  }

  _cut(at) {
    const rest = [...this._columns()].map((column) => column.slice(at));
    this._truncate(at);
    return rest;
  }

  _rejoin(rest) {
    [...this._columns()].forEach((column, i) => column.push(...rest[i]));
  }

  _open(bucketS) {
    if (this.length && bucketS - this.time.at(-1) > 1.5 * this.stepS) this._blank(this.time.at(-1) + this.stepS);
    this._blank(bucketS);
  }

  _blank(bucketS) {
    for (const column of this._columns()) column.push(null);
    this.time[this.length - 1] = bucketS;
    this.alarm[this.length - 1] = false;
  }

  _append(answer, i) {
    const bucketS = Math.round(answer.time_ns[i] / NS);
    this._open(bucketS);
    const at = this.length - 1;
    for (const name of EXTREMES) {
      for (const part of ["min", "max", "last"]) this[name][part][at] = answer[name][part][i];
    }
    for (const name of SINGLES) this[name][at] = answer[name][i];
    for (const name of [...FORECASTS, "inside"]) this[name][at] = answer.level?.[name][i] ?? null;
  }
}

function widen(column, at, value) {
  if (value === null || value === undefined) return;
  column.min[at] = column.min[at] === null ? value : Math.min(column.min[at], value);
  column.max[at] = column.max[at] === null ? value : Math.max(column.max[at], value);
  column.last[at] = value;
}
