// Requests as one of the calling pods, through its Envoy.

import { askHttp2, askUpgrade, askUpgradeHttp2, inParallel, type Question, type Reply } from '../envoy/client.js';

/** What a request has beside its URL. */
export type RequestOptions = Omit<Question, 'proxy' | 'url'>;

/** An answer. */
export interface Answer extends Reply {
  /** The server that answered, `v1`; otherwise the status of what the proxy answered itself, `404`. */
  readonly by: string;
}

/**
 * A calling pod. A host of one label, `http://reviews/x`, means the Service of the test: its namespace is added, as
 * the pod lives in another.
 */
export interface Caller {
  get(url: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  ask(url: string, options: RequestOptions): Promise<Answer>;
  /** The same request so many times, twenty at a time. */
  many(
    count: number,
    url: string,
    options?: RequestOptions | ((index: number) => RequestOptions),
  ): Promise<readonly Answer[]>;
  /** Over HTTP/2 with prior knowledge. */
  http2(url: string, options?: RequestOptions): Promise<Answer>;
  /** Upgrades to WebSocket, sends `bytes`, and has what came back as the body. */
  upgrade(url: string, bytes: string, options?: RequestOptions): Promise<Answer>;
  /** The same over HTTP/2. */
  upgradeHttp2(url: string, bytes: string): Promise<Answer>;
}

const byOf = (reply: Reply): string => reply.seen?.pod.split('/')[1]?.replace(/-0$/, '') ?? String(reply.status);
const answerOf = (reply: Reply): Answer => ({ ...reply, by: byOf(reply) });

/** `http://reviews:9080/x` as the Service of a namespace. */
export function inNamespace(url: string, namespace: string): string {
  const { hostname } = new URL(url);
  return hostname.includes('.') ? url : url.replace(hostname, `${hostname}.${namespace}`);
}

/** Something that sends requests and never rejects. */
export type Ask = (question: Omit<Question, 'proxy'>) => Promise<Reply>;

/** A caller with Services of `namespace` at hand. */
export function createCaller(namespace: string, proxy: string, send: Ask): Caller {
  const ask = async (url: string, options: RequestOptions): Promise<Answer> =>
    answerOf(await send({ url: inNamespace(url, namespace), ...options }));
  return {
    ask,
    get: (url, headers = {}) => ask(url, { headers }),
    many: (count, url, options = {}) =>
      inParallel(count, 20, (index) => ask(url, typeof options === 'function' ? options(index) : options)),
    http2: async (url, options = {}) =>
      answerOf(await askHttp2({ proxy, url: inNamespace(url, namespace), ...options })),
    upgrade: async (url, bytes, options = {}) =>
      answerOf(await askUpgrade({ proxy, url: inNamespace(url, namespace), ...options }, bytes)),
    upgradeHttp2: async (url, bytes) =>
      answerOf(await askUpgradeHttp2({ proxy, url: inNamespace(url, namespace) }, bytes)),
  };
}
