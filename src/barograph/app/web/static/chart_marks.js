// What is drawn around the lines: gaps, stretches without a prediction, alarms and what came of them.

import { colours, colourOf } from "./chart_colours.js";
import { cause, verdictShort } from "./words.js";

const GLYPHS = { hit: "✓", false: "✕", miss: "!", pending: "…", unseen: "?", held: "", outside: "" };
const DOT_SPACE = 6; // closer ones would hide the line
const FONT = "system-ui, sans-serif";

/** Grey bands from the top to the bottom of the plot. */
export function drawGaps(u, gaps) {
  for (const gap of gaps) {
    const [left, width] = stretch(u, gap.start_ns / 1e9, gap.end_ns / 1e9);
    if (width > 0) hatch(u, left, width, colours["gap-fill"]);
  }
}

/** Their causes, where they fit. */
export function labelGaps(u, gaps) {
  for (const gap of gaps) {
    const [left, width] = stretch(u, gap.start_ns / 1e9, gap.end_ns / 1e9);
    if (width > 0) label(u, cause(gap.cause), left, width, u.bbox.top + u.bbox.height / 2);
  }
}

/** Where there was no probability although there was data: why, in words. */
export function drawSilent(u, series) {
  let from = null;
  for (let i = 0; i <= series.length; i += 1) {
    const verdict = series.verdict[i] ?? null;
    if (from !== null && verdict !== series.verdict[from]) {
      const [left, width] = stretch(u, series.time[from] - series.stepS, series.time[i - 1]);
      if (width > 0) label(u, verdictShort(series.verdict[from]), left, width, u.bbox.top + u.bbox.height / 2);
      from = null;
    }
    if (from === null && verdict !== null && verdict !== "PREDICTED") from = i;
  }
}

/** A soft column behind each run of alarms. */
export function drawAlarms(u, series, runs) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.globalAlpha = 0.13;
  for (const run of runs) {
    const [left, width] = stretch(u, series.time[run.from] - series.stepS, series.time[run.to]);
    if (width === 0) continue;
    ctx.fillStyle = colours.alarm;
    ctx.fillRect(left, bbox.top, width, bbox.height);
  }
  ctx.restore();
}

/** A sign on the price where an alarm began or a missed spike was due; one where many would overlap. */
export function drawSigns(u, series, runs) {
  const lastX = {};
  for (const run of [...runs].sort((a, b) => a.from - b.from)) {
    const value = firstKnown(series.mid.last, run.from, run.to);
    if (value === null) continue;
    const x = u.valToPos(series.time[run.from], "x", true);
    if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
    if (x - (lastX[run.kind] ?? -Infinity) < 11 * uPlot.pxRatio) continue;
    lastX[run.kind] = x;
    sign(u.ctx, x, u.valToPos(value, "y", true), run.kind, 7.5 * uPlot.pxRatio);
  }
}

/** A dotted line at the newest value: what is right of it lies ahead. */
export function drawNow(u, timeS) {
  const { ctx, bbox } = u;
  const x = u.valToPos(timeS, "x", true);
  ctx.save();
  ctx.strokeStyle = colours.soft;
  ctx.lineWidth = uPlot.pxRatio;
  ctx.setLineDash([2 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

/** What came, beside its forecast: a diamond where the value was outside the interval, else a dot where there is room. */
export function drawHeld(u, fan) {
  const ratio = uPlot.pxRatio;
  const seen = fan.time.map((_, i) => i).filter((i) => typeof fan.inside[i] === "boolean" && typeof fan.value[i] === "number");
  if (!seen.length) return;
  const left = u.bbox.left;
  const x = (i) => u.valToPos(fan.time[i], "x", true);
  const pitch = seen.length > 1 ? (x(seen.at(-1)) - x(seen[0])) / (seen.length - 1) : Infinity;
  for (const i of seen) {
    if (x(i) < left || x(i) > left + u.bbox.width || (fan.inside[i] && pitch < DOT_SPACE * ratio)) continue;
    const kind = fan.inside[i] ? "held" : "outside";
    sign(u.ctx, x(i), u.valToPos(fan.value[i], "y", true), kind, (fan.inside[i] ? 3 : 5) * ratio);
  }
}

/** Two rows of bars: when an alarm was given, and when a spike did come within the horizon. */
export function drawRibbon(u, series, alarms, spikes) {
  const { ctx, bbox } = u;
  const height = bbox.height * 0.3;
  ctx.save();
  [alarms, spikes].forEach((runs, row) => {
    const middle = bbox.top + bbox.height * (row === 0 ? 0.27 : 0.73);
    for (const run of runs) {
      const [left, width] = stretch(u, series.time[run.from] - series.stepS, series.time[run.to], 3);
      if (width === 0) continue;
      ctx.fillStyle = colourOf(run.kind);
      ctx.fillRect(left, middle - height / 2, width, height);
      if (run.kind === "pending") hatch(u, left, width, colours.card, middle - height / 2, height);
    }
  });
  ctx.restore();
}

/** Draw one sign alone, for the key under the charts. */
export function drawKey(canvas, kind) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.height = 16 * ratio;
  sign(canvas.getContext("2d"), 8 * ratio, 8 * ratio, kind, (kind === "held" ? 4 : kind === "outside" ? 6 : 7) * ratio);
}

// A different shape for each kind, so that nobody needs to tell the colours apart.
function sign(ctx, x, y, kind, radius) {
  ctx.save();
  ctx.fillStyle = colourOf(kind);
  ctx.strokeStyle = colours.card;
  ctx.lineWidth = radius / 5;
  ctx.setLineDash([]);
  ctx.beginPath();
  if (kind === "miss") {
    ctx.moveTo(x, y - radius * 1.15);
    ctx.lineTo(x + radius * 1.15, y + radius * 0.85);
    ctx.lineTo(x - radius * 1.15, y + radius * 0.85);
    ctx.closePath();
  } else if (kind === "outside") {
    ctx.moveTo(x, y - radius * 1.2);
    for (const [dx, dy] of [[1.2, 0], [0, 1.2], [-1.2, 0]]) ctx.lineTo(x + radius * dx, y + radius * dy);
    ctx.closePath();
  } else if (kind === "false") {
    ctx.rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8);
  } else {
    ctx.arc(x, y, radius, 0, 2 * Math.PI);
  }
  ctx.fill();
  ctx.stroke();
  ctx.fillStyle = colours.card;
  ctx.font = `700 ${radius * 1.35}px ${FONT}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText(GLYPHS[kind], x, y + radius * (kind === "miss" ? 0.2 : 0.06));
  ctx.restore();
}

/** [left, width] in canvas pixels of what is visible of a stretch of time; width 0 where nothing is. */
function stretch(u, fromS, toS, leastPx = 2) {
  const right = u.bbox.left + u.bbox.width;
  const start = u.valToPos(fromS, "x", true);
  const end = Math.max(u.valToPos(toS, "x", true), start + leastPx * uPlot.pxRatio);
  const left = Math.max(u.bbox.left, start);
  return [left, Math.max(0, Math.min(right, end) - left)];
}

function hatch(u, left, width, colour, top = u.bbox.top, height = u.bbox.height) {
  const { ctx } = u;
  const pitch = 7 * uPlot.pxRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.fillStyle = colours["gap-fill"];
  if (colour === colours["gap-fill"]) ctx.fillRect(left, top, width, height);
  ctx.strokeStyle = colour === colours["gap-fill"] ? colours.gap : colour;
  ctx.globalAlpha = colour === colours["gap-fill"] ? 0.4 : 0.8;
  ctx.lineWidth = uPlot.pxRatio;
  ctx.setLineDash([]);
  ctx.beginPath();
  const first = Math.floor((left - height) / pitch) * pitch;
  for (let x = first; x < left + width; x += pitch) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
  ctx.restore();
}

/** Words in the middle of a stretch, in as many lines as it takes; nothing where none fits. */
function label(u, text, left, width, y) {
  const { ctx } = u;
  const ratio = uPlot.pxRatio;
  const pitch = 14 * ratio;
  ctx.save();
  ctx.font = `${11.5 * ratio}px ${FONT}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const lines = folded(ctx, text, width - 8 * ratio);
  const wide = Math.max(0, ...lines.map((line) => ctx.measureText(line).width));
  if (wide > 0 && wide <= width - 8 * ratio && lines.length * pitch < u.bbox.height * 0.9) {
    const top = Math.max(u.bbox.top + 2 * ratio, y - (lines.length * pitch) / 2);
    ctx.fillStyle = colours.card;
    ctx.globalAlpha = 0.85;
    ctx.fillRect(left + (width - wide) / 2 - 3 * ratio, top, wide + 6 * ratio, lines.length * pitch);
    ctx.globalAlpha = 1;
    ctx.fillStyle = colours.soft;
    lines.forEach((line, i) => ctx.fillText(line, left + width / 2, top + (i + 0.5) * pitch));
  }
  ctx.restore();
}

function folded(ctx, text, width) {
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && ctx.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function firstKnown(values, from, to) {
  for (let i = from; i <= to; i += 1) if (values[i] !== null && values[i] !== undefined) return values[i];
  return null;
}
