// Which headers an application passes on with the calls that it makes for a request, as applications must for traces
// and header routing to reach past the first hop. Pure.

/** Headers of a request; repeated ones are lists. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const hopsHeader = 'x-sandbox-hops';
const maxHops = 8;
const passedOn = /^(x-|traceparent$|tracestate$|baggage$|b3$|end-user$)/;
const neverPassedOn = /^x-(envoy|forwarded|mesh|real-ip|sandbox)/;

/** How many more calls may follow a request: applications that call each other in a circle must stop. */
export function hopsLeft(headers: Headers): number {
  const hops = Number(headers[hopsHeader] ?? 0);
  return Number.isInteger(hops) ? Math.max(0, maxHops - hops) : 0;
}

/** The headers to send along. */
export function forwardedHeaders(headers: Headers): Readonly<Record<string, string>> {
  const forwarded: Record<string, string> = { [hopsHeader]: String(maxHops - hopsLeft(headers) + 1) };
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || !passedOn.test(name) || neverPassedOn.test(name)) continue;
    forwarded[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return forwarded;
}
