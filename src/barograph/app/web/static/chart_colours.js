// A canvas cannot use CSS variables: their values, read again whenever the theme changes.

const NAMES = [
  "ink", "soft", "grid", "card", "price", "volatility", "probability", "limit", "alarm", "hit", "miss", "false", "gap", "gap-fill",
];

export const colours = {};

export function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of NAMES) colours[name] = style.getPropertyValue(`--${name}`).trim();
}

const ALIKE = { held: "volatility", outside: "miss" };

/** The colour of an outcome: not yet known and never known look alike. */
export function colourOf(kind) {
  return colours[ALIKE[kind] ?? kind] ?? colours.soft;
}
