// Numbers as people read them. What is not known is a dash with its meaning for screen readers.

export const UNKNOWN = "–";

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

function decimals(places) {
  return new Intl.NumberFormat("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
}

const WHOLE = decimals(0);
const BY_PLACES = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(decimals);

/** A price: two decimals from 100 up, else five significant digits. */
export function price(value) {
  if (!known(value)) return UNKNOWN;
  if (Math.abs(value) >= 100) return BY_PLACES[2].format(value);
  if (value === 0) return "0";
  return BY_PLACES[Math.min(8, Math.max(0, 4 - Math.floor(Math.log10(Math.abs(value)))))].format(value);
}

/** A value on an axis whose marks are `step` apart: as many decimals as tell them apart. */
export function rounded(value, step) {
  return BY_PLACES[Math.min(8, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)))].format(value);
}

/** A share as a percentage: "0.4 %", "12 %"; "< 0.1 %" for what is smaller than that. */
export function percent(share) {
  if (!known(share)) return UNKNOWN;
  const value = share * 100;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  return `${BY_PLACES[value !== 0 && value < 9.95 ? 1 : 0].format(value)} %`;
}

export function whole(value) {
  return known(value) ? WHOLE.format(value) : UNKNOWN;
}

export function digits(value, places = 3) {
  if (!known(value)) return UNKNOWN;
  if (value !== 0 && Math.abs(value) < 10 ** -places) return value.toExponential(1).replace("e-", "e−");
  return BY_PLACES[places].format(value);
}

/** "3.2 ms", "1.4 s". */
export function milliseconds(value) {
  if (!known(value)) return UNKNOWN;
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size >= 10000) return `${sign}${BY_PLACES[0].format(size / 1000)} s`;
  if (size >= 1000) return `${sign}${BY_PLACES[1].format(size / 1000)} s`;
  return `${sign}${BY_PLACES[size < 10 ? 1 : 0].format(size)} ms`;
}

export function rate(value) {
  if (!known(value)) return UNKNOWN;
  return BY_PLACES[Math.abs(value) < 10 ? 1 : 0].format(value);
}

/** The power of ten, a multiple of 1, that brings `largest` between 1 and 100; 0 if it is there. */
export function exponent(largest) {
  if (!known(largest) || largest <= 0) return 0;
  const power = Math.floor(Math.log10(largest));
  return power >= 0 && power <= 3 ? 0 : power;
}

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** "10⁻⁵ 1/√s": what one unit of an axis is. */
export function scaledUnit(power, unit) {
  if (!power) return unit;
  return `10${[...String(power)].map((sign) => RAISED[sign]).join("")} ${unit}`.trim();
}
