// The server's stream of events, opened again by itself whenever it breaks or falls silent.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const SILENT_MS = 15_000;

/**
 * Events of `address` as `onEvent(name, data)`; `onState({state, sinceMs, retryMs})` says how it is:
 * "connecting", "live" or "lost". `onOpen()` is called after each connection: what was missed
 * meanwhile is the caller's to fetch.
 */
export class Stream {
  constructor(address, names, { onEvent, onOpen, onState }) {
    this._address = address;
    this._names = names;
    this._on = { onEvent, onOpen, onState };
    this._waitMs = FIRST_WAIT_MS;
    this._lostMs = null;
    this._heardMs = Date.now();
    this._source = null;
    this._retry = null;
    this._retryAtMs = null;
    this._watch = setInterval(() => this._look(), 1000);
    this._open();
  }

  close() {
    clearInterval(this._watch);
    clearTimeout(this._retry);
    this._source?.close();
    this._source = null;
  }

  /** Try at once instead of waiting. */
  retryNow() {
    if (this._source) return;
    clearTimeout(this._retry);
    this._open();
  }

  _open() {
    const source = new EventSource(this._address);
    this._source = source;
    this._heardMs = Date.now();
    this._retryAtMs = null;
    this._tell();
    source.onopen = () => {
      this._heardMs = Date.now();
      this._lostMs = null;
      this._tell();
      this._on.onOpen();
    };
    // EventSource gives up for good on some errors and waits as it likes on others: we do both here.
    source.onerror = () => this._lose(source);
    for (const name of this._names) {
      source.addEventListener(name, (event) => {
        this._heardMs = Date.now();
        this._waitMs = FIRST_WAIT_MS;
        this._on.onEvent(name, JSON.parse(event.data));
      });
    }
    source.addEventListener("behind", () => this._lose(source));
  }

  _lose(source) {
    if (source !== this._source) return;
    source.close();
    this._source = null;
    this._lostMs ??= Date.now();
    // Not all browsers at once after a restart of the server.
    const wait = this._waitMs * (0.75 + Math.random() / 2);
    this._waitMs = Math.min(LONGEST_WAIT_MS, 2 * this._waitMs);
    this._retryAtMs = Date.now() + wait;
    this._retry = setTimeout(() => this._open(), wait);
    this._tell();
  }

  _look() {
    if (this._source && Date.now() - this._heardMs > SILENT_MS) this._lose(this._source);
    else if (this._lostMs !== null) this._tell();
  }

  _tell() {
    const state = this._lostMs !== null ? "lost" : this._source?.readyState === EventSource.OPEN ? "live" : "connecting";
    const retryMs = this._retryAtMs === null ? null : Math.max(0, this._retryAtMs - Date.now());
    this._on.onState({ state, sinceMs: this._lostMs, retryMs });
  }
}
