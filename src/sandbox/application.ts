// The built-in application: one process answers for every pod of the sandbox, on each pod's own address. It echoes
// requests as JSON, and its annotations make it slow, failing, or calling others. Must not know of Envoy: it has an
// address to listen on and a proxy to call through.

import type { Clock } from '../lib/clock.js';
import type { Behaviour } from './behaviour.js';
import { type EchoRequest, type EchoServer, listenForEcho } from './echo-server.js';
import { forwardedHeaders, hopsLeft } from './forwarded-headers.js';
import { createCaller, type Caller } from './proxied-call.js';

/** One pod's application. */
export interface ApplicationPod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Where it listens, on every port of `ports`. */
  readonly address: string;
  readonly ports: readonly number[];
  /** The pod's sidecar, `host:port`, which its calls go through. */
  readonly proxy: string;
  readonly behaviour: Behaviour;
}

/** What a call that an application made came to. */
export interface CallResult {
  readonly url: string;
  /** 0: no answer. */
  readonly status: number;
  readonly answer: unknown;
}

/** The applications of all pods. */
export interface Applications {
  /** Makes the applications equal to `pods`; returns what could not be done. Calls must not overlap. */
  apply(pods: readonly ApplicationPod[]): Promise<readonly string[]>;
  close(): Promise<void>;
}

interface Running {
  pod: ApplicationPod;
  /** Requests seen, which decides who fails. */
  requests: number;
  readonly servers: Map<number, EchoServer>;
}

/** Applications that do not listen yet. */
export function createApplications(deps: { readonly clock: Clock }): Applications {
  const running = new Map<string, Running>();
  const caller = createCaller();

  function adopt(pod: ApplicationPod): Running {
    const known = running.get(pod.address) ?? { pod, requests: 0, servers: new Map<number, EchoServer>() };
    known.pod = pod;
    running.set(pod.address, known);
    return known;
  }

  async function open(application: Running): Promise<readonly string[]> {
    const { pod, servers } = application;
    const problems: string[] = [];
    for (const port of pod.ports.filter((wanted) => !servers.has(wanted))) {
      const answer = (request: EchoRequest): Promise<Answer> => {
        application.requests += 1;
        return answerAs(application.pod, { request, count: application.requests, caller, clock: deps.clock });
      };
      const listening = await listenForEcho({ address: pod.address, port, answer });
      if (listening.ok) servers.set(port, listening.value);
      else problems.push(`${pod.namespace}/${pod.name}: port ${port}: ${listening.error}`);
    }
    return problems;
  }

  async function apply(pods: readonly ApplicationPod[]): Promise<readonly string[]> {
    const wanted = new Map(pods.map((pod) => [pod.address, pod]));
    for (const [address, application] of running) {
      const ports = wanted.get(address)?.ports ?? [];
      await closePorts(application, (port) => !ports.includes(port));
      if (!wanted.has(address)) running.delete(address);
    }
    const opened: (readonly string[])[] = [];
    for (const pod of wanted.values()) opened.push(await open(adopt(pod)));
    return opened.flat();
  }

  return {
    apply,
    close: async () => {
      caller.close();
      await apply([]);
    },
  };
}

async function closePorts(application: Running, unwanted: (port: number) => boolean): Promise<void> {
  for (const [port, server] of application.servers) {
    if (!unwanted(port)) continue;
    application.servers.delete(port);
    await server.close();
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** True for `percent` of all counts, spread evenly: no two runs differ. */
export function isFailure(count: number, percent: number): boolean {
  return Math.floor((count * percent) / 100) > Math.floor(((count - 1) * percent) / 100);
}

async function answerAs(
  pod: ApplicationPod,
  turn: { readonly request: EchoRequest; readonly count: number; readonly caller: Caller; readonly clock: Clock },
): Promise<Answer> {
  const { behaviour, namespace, name, labels } = pod;
  const { method, path, headers } = turn.request;
  if (behaviour.latencyMs > 0) await turn.clock.sleep(behaviour.latencyMs);
  const echo = { pod: name, namespace, labels, method, path, headers };
  if (isFailure(turn.count, behaviour.failurePercent)) return { status: behaviour.failureStatus, body: echo };
  if (behaviour.calls.length === 0) return { status: 200, body: echo };
  if (hopsLeft(headers) === 0) return { status: 508, body: { ...echo, error: 'the calls go round in a circle' } };
  const forwarded = forwardedHeaders(headers);
  const calls = await Promise.all(behaviour.calls.map((url) => callFor(pod, { url, forwarded }, turn.caller)));
  const failed = calls.some((call) => call.status === 0 || call.status >= 500);
  return { status: failed ? 502 : 200, body: { ...echo, calls } };
}

async function callFor(
  pod: ApplicationPod,
  call: { readonly url: string; readonly forwarded: Readonly<Record<string, string>> },
  caller: Caller,
): Promise<CallResult> {
  const { status, body } = await caller.call({ proxy: pod.proxy, url: call.url, headers: call.forwarded });
  return { url: call.url, status, answer: parsedOrText(body) };
}

function parsedOrText(body: string): unknown {
  try {
    const parsed: unknown = JSON.parse(body);
    return parsed;
  } catch {
    // Not JSON, so not from a built-in application: shown as it is.
    return body;
  }
}
