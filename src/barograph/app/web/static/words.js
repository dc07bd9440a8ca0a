// What the API's short words mean, in sentences for someone who has never seen them.

import { duration, within } from "./times.js";

export const VERDICTS = {
  WARMUP: ["Warming up", "Barograph has not watched long enough without a break yet."],
  GAP: ["Recovering from a gap", "Data was lost. It waits for an unbroken stretch instead of guessing."],
  STALE: ["No fresh data", "The exchange has sent nothing new for a while."],
  OUT_OF_RANGE: ["Out of range", "The price jumped farther than can be computed exactly. The windows start anew."],
  MODEL_EXPIRED: ["Model expired", "The model is too old to be trusted. Train a new one: barograph train."],
  NO_MODEL: ["No model yet", "Nothing has been trained yet, and the simple method has not seen enough."],
};

export const CAUSES = {
  disconnect: "the connection broke",
  sequence: "messages were lost on the way",
  trade_id: "trades were skipped",
  heartbeat: "a trade that the exchange counted never came",
  refused: "a message could not be used",
  silence: "the exchange fell silent",
  session: "the recording pauses here",
  waiting: "nothing has come since",
};

export const FAULTS = {
  not_json: "not JSON",
  not_utf8: "not UTF-8",
  too_long: "too long",
  wrong_shape: "fields are missing",
  unknown_type: "of an unknown kind",
  venue_error: "an error of the exchange",
  unknown_product: "a product not asked for",
  not_a_number: "not a number",
  not_positive: "not positive",
  crossed_quote: "bid above ask",
  bad_time: "time not readable",
  future: "from the future",
  duplicate: "counted already",
  implausible: "not plausible",
  contradiction: "contradicts what is known",
  late: "too late",
  foreign_features: "made by another version",
  truncated: "cut off",
  missing_field: "a field is missing",
  unknown_category: "an unknown category",
  out_of_range: "out of range",
};

/** {title, text}: what a prediction says, or why it says nothing. */
export function verdict(prediction, wait) {
  if (prediction.verdict === "PREDICTED") {
    return prediction.alarm
      ? { title: "Spike ahead", text: `Unusually wild within ${within(prediction.horizon_s)}.` }
      : { title: "Calm ahead", text: `Nothing unusual expected within ${within(prediction.horizon_s)}.` };
  }
  const [title, text] = VERDICTS[prediction.verdict] ?? [prediction.verdict, ""];
  if (!wait) return { title, text };
  const left = wait.left_s > 0 ? `ready in ${duration(wait.left_s)}, if nothing breaks` : "ready at any moment";
  const learns = prediction.verdict === "NO_MODEL";
  const then = !learns && wait.left_s > wait.need - wait.have ? ", then it learns" : "";
  const counted = `${wait.have} of ${wait.need} s ${learns ? "learned" : "without a break"}${then}`;
  return { title, text: `${capital(left)}: ${counted}.` };
}

export function verdictShort(name) {
  return name === "PREDICTED" ? "" : (VERDICTS[name]?.[0] ?? name);
}

export function cause(name) {
  if (!name) return "cause not known";
  return CAUSES[name] ?? String(name).replaceAll("_", " ");
}

export function fault(name) {
  return FAULTS[name] ?? String(name).replaceAll("_", " ");
}

/** One gap as a sentence: how long, why, and how much it lacks. */
export function gapText(gap) {
  const length = duration((gap.end_ns - gap.start_ns) / 1e9);
  const missing = gap.missing ? `, ${gap.missing} trades missing` : "";
  return `No data for ${length}: ${cause(gap.cause)}${missing}`;
}

/** {text, kind}: what became of an alert; `nowS` in seconds since 1970. */
export function alertOutcome(alert, nowS) {
  if (alert.probability === null || alert.probability === undefined) {
    return alert.ended_ns ? { text: "Over", kind: "pending" } : { text: "Going on", kind: "going" };
  }
  if (alert.judgement === "right") return { text: "✓ Hit", kind: "hit" };
  if (alert.judgement === "wrong") return { text: "✕ False alarm", kind: "false" };
  if (alert.judgement === "unknown") return { text: "? Not observed", kind: "pending" };
  const left = alert.started_ns / 1e9 + alert.horizon_s - nowS;
  return { text: left > 0 ? `Outcome in ${duration(left)}` : "Outcome open", kind: "pending" };
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "a, b and c". */
export function listed(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

export function plural(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}
