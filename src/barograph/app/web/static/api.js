// JSON of the server. Addresses are relative, so that the page works behind any path.

/** What the server says went wrong, with the cure where it names one. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.error ?? `the server answered ${status}`);
    this.status = status;
    this.cure = body?.cure ?? "";
  }
}

/** GET a JSON answer. Raises ApiError for an answer that is no success, TypeError if there is none. */
export async function get(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined));
  const response = await fetch(query.size ? `${path}?${query}` : path, { headers: { Accept: "application/json" } });
  const body = await response.json().catch(() => null);
  if (!response.ok || body === null) throw new ApiError(response.status, body);
  return body;
}

/** The addresses of one case. */
export function pathsOf(name) {
  const root = `v1/cases/${encodeURIComponent(name)}`;
  return {
    series: (key) => `${root}/series/${encodeURIComponent(key)}`,
    predictions: `${root}/predictions`,
    forecast: `${root}/forecast`,
    alerts: "v1/alerts",
    status: "v1/status",
    stream: `v1/stream?case=${encodeURIComponent(name)}`,
  };
}
