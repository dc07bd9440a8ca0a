// What was said beside what came: alarms and spikes as runs of time, and how each turned out. No DOM.

/** What a run turned out to be; `pending` is not known yet, `unseen` never will be. */
export const KINDS = ["hit", "false", "miss", "pending", "unseen"];

/**
 * Runs of alarms, each {from, to, kind}: indices into the series, both inclusive.
 *
 * Hit: the value reached tau within the horizon of one of its alarms. False: all were observed and
 * none did. Alarms at most `joinS` seconds apart are one run.
 */
export function alarmRuns(series, joinS = 10) {
  const runs = [];
  for (let i = 0; i < series.length; i += 1) {
    if (!series.alarm[i]) continue;
    const last = runs.at(-1);
    if (last && series.time[i] - series.time[last.to] <= Math.max(joinS, series.stepS)) last.to = i;
    else runs.push({ from: i, to: i });
  }
  for (const run of runs) run.kind = alarmKind(series, run);
  return runs;
}

function alarmKind(series, run) {
  let open = false;
  for (let i = run.from; i <= run.to; i += 1) {
    if (!series.alarm[i]) continue;
    if (series.outcome[i] === true) return "hit";
    if (series.outcome[i] === null) open = true;
  }
  if (!open) return "false";
  return series.newestS - series.time[run.to] <= series.horizonS + series.stepS ? "pending" : "unseen";
}

/**
 * Runs of seconds after which the value did reach tau, each {from, to, kind}: hit or miss.
 *
 * Spikes less than a horizon apart are one. A miss is one without an alarm in it.
 */
export function spikeRuns(series) {
  const runs = [];
  for (let i = 0; i < series.length; i += 1) {
    if (series.outcome[i] !== true) continue;
    const last = runs.at(-1);
    if (last && series.time[i] - series.time[last.to] < series.horizonS) last.to = i;
    else runs.push({ from: i, to: i });
  }
  for (const run of runs) {
    run.kind = "miss";
    for (let i = run.from; i <= run.to; i += 1) if (series.alarm[i]) run.kind = "hit";
  }
  return runs;
}

/** {hit, false, miss, pending, unseen}: alarm runs by kind, and missed spikes, since `startS`. */
export function tally(series, alarms, spikes, startS) {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  for (const run of alarms) if (series.time[run.to] >= startS) counts[run.kind] += 1;
  for (const run of spikes) if (run.kind === "miss" && series.time[run.to] >= startS) counts.miss += 1;
  return counts;
}
