// Times and durations as people read them. Times come in seconds since 1970.

export const NS = 1e9;

let utc = false;

/** Show times in UTC instead of the browser's zone. */
export function showUtc(chosen) {
  utc = chosen;
}

export function isUtc() {
  return utc;
}

function zone(options) {
  return new Intl.DateTimeFormat("en-GB", utc ? { ...options, timeZone: "UTC" } : options);
}

/** "12:03:05", with the date before it where it is not that of `nowS`. */
export function clock(timeS, nowS = Date.now() / 1000) {
  const date = new Date(timeS * 1000);
  const time = zone({ hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(date);
  const day = zone({ day: "numeric", month: "short", year: "numeric" });
  return day.format(date) === day.format(new Date(nowS * 1000)) ? time : `${day.format(date)}, ${time}`;
}

/** "12:03" where ticks of an axis are minutes apart, "12:03:05" for seconds, "3 Nov" for days and at midnight. */
export function tickLabel(timeS, stepS) {
  const date = new Date(timeS * 1000);
  const midnight = (isUtc() ? date.getUTCHours() : date.getHours()) === 0;
  if (stepS >= 86400 || (stepS >= 7200 && midnight)) return zone({ day: "numeric", month: "short" }).format(date);
  const parts = { hour: "2-digit", minute: "2-digit" };
  if (stepS < 60) parts.second = "2-digit";
  return zone(parts).format(date);
}

export function day(timeS) {
  return zone({ day: "numeric", month: "short", year: "numeric" }).format(new Date(timeS * 1000));
}

/** "45 s", "3 min 20 s", "2 h 5 min", "3 d 4 h": the two largest units. */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  const pairs = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];
  for (const [large, largeUnit, small, smallUnit] of pairs) {
    if (s < large) continue;
    const rest = Math.floor((s % large) / small);
    return `${Math.floor(s / large)} ${largeUnit}${rest ? ` ${rest} ${smallUnit}` : ""}`;
  }
  return `${s} s`;
}

/** "minute", "hour", "5 min": a horizon in words, for "the next …"; `within` puts the article. */
export function horizonWords(seconds) {
  return { 60: "minute", 3600: "hour", 86400: "day" }[seconds] ?? duration(seconds);
}

export function within(seconds) {
  return { 60: "a minute", 3600: "an hour", 86400: "a day" }[seconds] ?? duration(seconds);
}

/** "15 minutes", "hour", "6 hours", "7 days": a span in words, for "last …". */
export function spanWords(seconds) {
  if (seconds === 3600) return "hour";
  if (seconds > 86400) return `${seconds / 86400} days`;
  return seconds < 3600 ? `${seconds / 60} minutes` : `${seconds / 3600} hours`;
}
