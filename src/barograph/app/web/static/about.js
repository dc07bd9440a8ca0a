// "What am I looking at?", in the words of the case that is shown.

import { capital } from "./words.js";
import { percent } from "./figures.js";
import { horizonWords, within } from "./times.js";

/** Fill `element` with the explanation of a case. */
export function explain(element, caseFacts) {
  const [lead, terms] = caseFacts.kind === "records" ? records(caseFacts) : series(caseFacts);
  const paragraph = document.createElement("p");
  paragraph.textContent = lead;
  const list = document.createElement("dl");
  for (const [term, meaning] of terms) {
    const pair = document.createElement("div");
    pair.append(made("dt", term), made("dd", meaning));
    list.append(pair);
  }
  element.replaceChildren(paragraph, list);
}

function made(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

function series(facts) {
  const horizon = horizonWords(facts.horizon_s);
  const soon = within(facts.horizon_s);
  const pace = facts.step_s === 1 ? "second by second" : `${horizonWords(facts.step_s)} by ${horizonWords(facts.step_s)}`;
  const level = facts.coverage === null || facts.coverage === undefined ? [] : [
    ["Forecast", `What the next ${horizon} will bring, made ${soon} before: the band holds ${percent(facts.coverage)} of the values, the dotted line is as likely too low as too high. What came is the green line; a diamond marks a value outside its band.`],
  ];
  const lead =
    `Barograph listens to what comes in, ${pace}, and says how likely it is that the next ${horizon} will be ` +
    "unusually wild: a spike. It keeps what it said, and when the time is over it shows whether it was right. " +
    "Where it cannot know, it says nothing and tells you why.";
  return [
    lead,
    [
      ["Price", facts.step_s === 1 ? "The middle between the best offer to buy and the best offer to sell." : `The last price of each ${horizonWords(facts.step_s)}.`],
      ["Volatility", `How much the price moved in the last ${horizon}. The dashed line is tau: from there on it counts as a spike. Nine of ten stretches that the model learned from stayed below.`],
      ...level,
      ["Probability", `How likely it is that volatility reaches tau within ${soon}. From the dashed line, the threshold, it is an alarm.`],
      ["What came of it", `${capital(soon)} after an alarm it is known: a hit, or a false alarm. A spike without an alarm is a miss.`],
      ["Grey bands", "Nothing was heard then, with the reason. Barograph never fills a hole with a guess."],
      ["Warming up", "After a start or a gap it needs an unbroken stretch of data before it says anything."],
    ],
  ];
}

function records(facts) {
  return [
    `Records of the case “${facts.name}” come in one by one; each gets a probability from the model, or a reason why not.`,
    [
      ["Probability", "How likely it is that the record has the outcome that the case asks for."],
      ["Threshold", "From here on the record counts as a yes."],
      ["Dead letters", "Records that could not be used. They are kept with their reason, and can be sent once more."],
    ],
  ];
}
