// What annotations ask of the built-in application of a pod: latency, failures, calls; and which calls are traffic.
// Pure: text to values, mistakes to messages. Must not know how an application answers.

/** How the application of one pod behaves. */
export interface Behaviour {
  readonly latencyMs: number;
  /** 0 to 100, spread evenly over the requests. */
  readonly failurePercent: number;
  readonly failureStatus: number;
  /** URLs that are called, through the pod's own sidecar, for each request. */
  readonly calls: readonly string[];
}

/** A behaviour with the mistakes found in its annotations; a value with a mistake has no effect. */
export interface ParsedBehaviour {
  readonly behaviour: Behaviour;
  /** URLs that steady traffic calls as this pod. */
  readonly entries: readonly string[];
  readonly problems: readonly string[];
}

/** The annotations, by what they say. */
export const behaviourAnnotations = {
  latency: 'app.legation.dev/latency',
  failurePercent: 'app.legation.dev/failure-percent',
  failureStatus: 'app.legation.dev/failure-status',
  calls: 'app.legation.dev/calls',
  entry: 'app.legation.dev/entry',
} as const;

type Parsed<T> = { readonly value: T } | { readonly expected: string };

const maxLatencyMs = 60_000;
const maxCalls = 16;
const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** Reads the annotations of a pod. */
export function parseBehaviour(annotations: Readonly<Record<string, string>>): ParsedBehaviour {
  const problems: string[] = [];
  const read = <T>(name: string, parse: (text: string) => Parsed<T>, otherwise: T): T => {
    const text = annotations[name]?.trim() ?? '';
    if (text === '') return otherwise;
    const parsed = parse(text);
    if ('value' in parsed) return parsed.value;
    problems.push(`annotation ${name}: '${text}' must be ${parsed.expected}`);
    return otherwise;
  };
  const behaviour = {
    latencyMs: read(behaviourAnnotations.latency, parseDuration, 0),
    failurePercent: read(behaviourAnnotations.failurePercent, parsePercent, 0),
    failureStatus: read(behaviourAnnotations.failureStatus, parseStatusCode, 503),
    calls: read(behaviourAnnotations.calls, parseUrls, []),
  };
  return { behaviour, entries: read(behaviourAnnotations.entry, parseUrls, []), problems };
}

function parseDuration(text: string): Parsed<number> {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  const value = Number(match?.[1]) * (unitsMs[match?.[2] ?? ''] ?? Number.NaN);
  return value <= maxLatencyMs ? { value } : { expected: `a duration of at most 1m, such as '50ms'` };
}

function parsePercent(text: string): Parsed<number> {
  const value = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  return value <= 100 ? { value } : { expected: 'a number from 0 to 100' };
}

function parseStatusCode(text: string): Parsed<number> {
  const value = /^\d{3}$/.test(text) ? Number(text) : 0;
  return value >= 200 && value <= 599 ? { value } : { expected: 'a status from 200 to 599' };
}

function parseUrls(text: string): Parsed<readonly string[]> {
  const value = text
    .split(',')
    .map((url) => url.trim())
    .filter((url) => url !== '');
  const good = value.length <= maxCalls && value.every((url) => URL.canParse(url) && url.startsWith('http://'));
  return good ? { value } : { expected: `at most ${String(maxCalls)} 'http://' URLs, separated by commas` };
}
