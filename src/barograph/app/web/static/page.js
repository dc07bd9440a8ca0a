// The live page: what is chosen, the connection to the server, and who draws what comes.

import { explain } from "./about.js";
import { get, pathsOf } from "./api.js";
import { readColours } from "./chart_colours.js";
import { byId, h, setText } from "./dom.js";
import { percent } from "./figures.js";
import { RecordsView } from "./records_view.js";
import { SeriesView } from "./series_view.js";
import { Stream } from "./stream.js";
import { clock, duration, isUtc, showUtc } from "./times.js";
import { capital } from "./words.js";

const EVENTS = ["prediction", "gap", "alert", "status"];
const LEAST_DRAW_MS = 800;
const GATHER_MS = 50; // what comes together is drawn together
const AGAIN_MS = 2000;

const stored = {
  get: (name) => localStorage.getItem(`barograph.${name}`),
  set: (name, value) => localStorage.setItem(`barograph.${name}`, value),
};

let cases = [];
let facts = null;
let view = null;
let stream = null;
let connection = { state: "connecting", sinceMs: null, retryMs: null };
let clockAheadMs = 0; // the server's clock beside this one
let drawnMs = 0;
let drawing = false;

const nowS = () => (Date.now() + clockAheadMs) / 1000;

// What is chosen lives in the address, so that a bookmark or a link in an alert opens the same view.
function chosen() {
  const words = new URLSearchParams(location.hash.slice(1));
  const spanS = Number(words.get("span"));
  return { case: words.get("case"), product: words.get("product"), spanS: spanS > 0 ? spanS : 3600 };
}

function remember({ product, spanS }) {
  const words = new URLSearchParams({ case: facts.name, ...(product ? { product } : {}), span: spanS });
  history.replaceState(null, "", `#${words}`);
}

function openCase(name) {
  stream?.close();
  view?.close();
  const choice = chosen();
  facts = cases.find((each) => each.name === name) ?? cases.find((each) => each.default) ?? cases[0];
  const paths = pathsOf(facts.name);
  byId("case").value = facts.name;
  byId("series-view").hidden = facts.kind !== "series";
  byId("records-view").hidden = facts.kind !== "records";
  explain(byId("about-text"), facts);
  const product = facts.keys.includes(choice.product) ? choice.product : null;
  view = facts.kind === "series" ? new SeriesView(facts, paths, { ...choice, product }, remember) : new RecordsView(facts, paths);
  if (facts.kind === "records") remember(choice);
  stream = new Stream(paths.stream, EVENTS, { onEvent: take, onOpen: catchUp, onState: showConnection });
}

function take(name, data) {
  if (name === "prediction") view.predicted(data);
  else if (name === "gap") view.gap(data);
  else if (name === "alert") view.alert(data);
  else takeStatus(data);
  drawSoon();
}

function takeStatus(status) {
  const serverNs = status.server_time_ns ?? status.time_ns;
  if (serverNs) clockAheadMs = serverNs / 1e6 - Date.now();
  view.status(status);
  showProblems(status.problems ?? []);
}

async function catchUp() {
  const current = view;
  try {
    const [{ alerts }] = await Promise.all([get("v1/alerts", { limit: 100 }), current.catchUp()]);
    for (const alert of alerts.reverse()) current.alert(alert); // the oldest first
  } catch {
    // The connection broke again: the next one catches up.
  }
  if (current === view) drawSoon();
}

/** About one drawing a second, none while nobody can see them. */
function drawSoon() {
  if (drawing || document.hidden) return;
  drawing = true;
  setTimeout(() => requestAnimationFrame(draw), Math.max(GATHER_MS, drawnMs + LEAST_DRAW_MS - Date.now()));
}

function draw() {
  drawing = false;
  drawnMs = Date.now();
  view.draw(nowS());
  showAlarm(view.alarming(nowS()));
}

function showAlarm(alarming) {
  const words = alarming.map(([product, latest]) => `${product} ${percent(latest.probability)}`).join(", ");
  byId("alarm").hidden = alarming.length === 0;
  // The products alone: a probability that changes each second would be read out each second.
  setText(byId("alarm"), alarming.length ? `Spike ahead: ${alarming.map(([product]) => product).join(", ")}` : "");
  const title = words ? `▲ ${words} · Barograph` : connection.state === "lost" ? "Not connected · Barograph" : "Barograph";
  if (document.title !== title) document.title = title;
}

function showProblems(problems) {
  const list = byId("problems");
  const wanted = JSON.stringify(problems);
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.hidden = problems.length === 0;
  list.replaceChildren(...problems.map((text) => h("li", {}, capital(text))));
}

function showConnection(now) {
  const before = connection.state;
  connection = now;
  const lost = now.state === "lost";
  byId("connection").dataset.state = now.state;
  const words = { live: "Live", connecting: "Connecting", lost: "Not connected" };
  setText(byId("connection-text"), words[now.state]);
  byId("main").classList.toggle("stale", lost);
  byId("lost").hidden = !lost;
  if (lost) {
    const since = `Not connected to the server since ${clock(now.sinceMs / 1000)}. What you see is from before.`;
    // Said once, not each second: the count-down stands on the button.
    setText(byId("lost-text"), since);
    setText(byId("retry"), now.retryMs === null ? "Trying…" : `Try now (by itself in ${duration(now.retryMs / 1000)})`);
  }
  if (before !== now.state) showAlarm(view?.alarming(nowS()) ?? []);
}

function buttons() {
  const about = (open) => {
    byId("about").hidden = !open;
    byId("about-open").setAttribute("aria-expanded", open);
  };
  const choose = (open) => {
    about(open);
    stored.set("about", open ? "open" : "closed");
  };
  // On a phone it would stand between the reader and what is happening now.
  about((stored.get("about") ?? (innerWidth < 700 ? "closed" : "open")) === "open");
  byId("about-open").addEventListener("click", () => choose(byId("about").hidden));
  byId("about-close").addEventListener("click", () => {
    choose(false);
    byId("about-open").focus();
  });
  byId("retry").addEventListener("click", () => stream?.retryNow());
  byId("case").addEventListener("change", (event) => openCase(event.target.value));
  addEventListener("hashchange", () => openCase(chosen().case));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address says what is chosen, and nothing else
    byId("main").focus();
  });
  addEventListener("online", () => stream?.retryNow());
  document.addEventListener("visibilitychange", drawSoon);
  themes();
  zones();
}

function themes() {
  const order = ["auto", "light", "dark"];
  const show = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    setText(byId("theme"), `Theme: ${theme}`);
    readColours();
    view?.redraw();
  };
  let theme = order.includes(stored.get("theme")) ? stored.get("theme") : "auto";
  show(theme);
  byId("theme").addEventListener("click", () => {
    theme = order[(order.indexOf(theme) + 1) % order.length];
    stored.set("theme", theme);
    show(theme);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(theme));
}

function zones() {
  const show = () => {
    setText(byId("zone"), isUtc() ? "Times: UTC" : "Times: local");
    view?.redraw();
  };
  showUtc(stored.get("zone") === "utc");
  show();
  byId("zone").addEventListener("click", () => {
    showUtc(!isUtc());
    stored.set("zone", isUtc() ? "utc" : "local");
    show();
  });
}

async function begin() {
  try {
    ({ cases } = await get("v1/cases"));
  } catch (error) {
    setText(byId("connection-text"), `No answer yet: ${error.message}`);
    setTimeout(begin, AGAIN_MS);
    return;
  }
  byId("case").replaceChildren(...cases.map((each) => h("option", { value: each.name }, each.name)));
  byId("case-choice").hidden = cases.length < 2;
  openCase(chosen().case);
  setInterval(drawSoon, 1000); // ages and count-downs go on when nothing comes
}

/** What is drawn now, for a look from the console. */
export const shown = () => view?.shown ?? null;

buttons();
begin();
