// The admin endpoint, on loopback: health, readiness, metrics, status, and /debug. Reads, never changes.
// Secrets do not leave the process.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { World } from '../kinds/world.js';
import type { Logger } from '../lib/logger.js';
import { messageOf, OperationalError } from '../lib/result.js';
import type { FileSource } from '../sources/files.js';
import { resourcesToJson } from '../xds/readable.js';
import { capabilitiesOf } from '../xds/capabilities.js';
import { resourceTypes, shortNameOf, type ResourceType } from '../xds/resources.js';
import { translate } from '../xds/translate.js';
import { parseAddress } from './config.js';
import type { Pipeline } from './pipeline.js';

/** What the admin endpoint shows. */
export interface AdminDeps {
  readonly pipeline: Pipeline;
  readonly files: FileSource;
  readonly log: Logger;
}

/** A listening admin endpoint. */
export interface Admin {
  readonly address: string;
  /** From now on /readyz says yes. */
  serving(): void;
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const json = (value: unknown, status = 200): Answer => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(value, toPlain, 2)}\n`,
});
const text = (body: string, status = 200): Answer => ({ status, type: 'text/plain; charset=utf-8', body: `${body}\n` });

/** Maps and bytes as JSON. */
function toPlain(_key: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Uint8Array) return `${String(value.length)} bytes`;
  return typeof value === 'bigint' ? String(value) : value;
}

const redacted = (world: World): unknown => ({
  ...world,
  secrets: new Map(
    [...world.secrets].map(([key, secret]) => [
      key,
      { ...secret, data: new Map([...secret.data.keys()].map((name) => [name, '[redacted]'])) },
    ]),
  ),
});

/** The resources of one proxy, as they are served when nothing was refused. */
function snapshotOf(pipeline: Pipeline, proxyKey: string): Answer {
  const model = pipeline.reconciled()?.model;
  const proxy = model?.proxies.get(proxyKey);
  if (model === undefined || proxy === undefined)
    return json({ error: `no proxy '${proxyKey}'`, proxies: [...(model?.proxies.keys() ?? [])] }, 404);
  const resources = translate(model, proxy, capabilitiesOf(pipeline.tracker.envoyOf(proxyKey) ?? ''));
  const shown = new Map(resourceTypes.map((type) => [shortNameOf[type], resourcesToJson(resources[type])]));
  return json({ proxy: proxyKey, group: proxy.group, resources: shown });
}

function snapshots(pipeline: Pipeline): Answer {
  const views = pipeline.cache.viewKeys().map((key) => {
    const view = pipeline.cache.view(key);
    const count = (type: ResourceType): number =>
      view?.types[type].resources.filter((one) => one !== undefined).length ?? 0;
    const resources = new Map(resourceTypes.map((type) => [shortNameOf[type], count(type)]));
    return { view: key, revision: view?.revision, resources };
  });
  return json({ views });
}

const debugIndex = [
  '/debug/world',
  '/debug/model',
  '/debug/snapshots',
  '/debug/snapshots?proxy=NS/NAME',
  '/debug/deliveries',
  '/debug/diagnostics',
];

function debug(path: string, query: URLSearchParams, deps: AdminDeps): Answer | undefined {
  const { pipeline, files } = deps;
  switch (path) {
    case '/debug':
      return json({ endpoints: debugIndex });
    case '/debug/world':
      return json(redacted(pipeline.store.world()));
    case '/debug/model':
      return json(pipeline.reconciled()?.model ?? {});
    case '/debug/snapshots': {
      const proxy = query.get('proxy');
      return proxy === null ? snapshots(pipeline) : snapshotOf(pipeline, proxy);
    }
    case '/debug/deliveries':
      return json({ proxies: pipeline.tracker.proxies(), loopDelayP99Ms: pipeline.metrics.loopDelayMs() });
    case '/debug/diagnostics':
      return json({ diagnostics: files.diagnostics(), skipped: files.skipped() });
    default:
      return undefined;
  }
}

const index = ['/healthz', '/readyz', '/metrics', '/status', ...debugIndex];

async function answer(url: URL, deps: AdminDeps, isServing: boolean): Promise<Answer> {
  switch (url.pathname) {
    case '/':
      return json({ endpoints: index });
    case '/healthz':
      return text('ok');
    case '/readyz':
      return isServing ? text('ok') : text('waiting for sources', 503);
    case '/metrics':
      return { status: 200, type: deps.pipeline.metrics.contentType, body: await deps.pipeline.metrics.text() };
    case '/status':
      return json({ apiVersion: 'v1', kind: 'List', items: deps.pipeline.status.statuses() });
    default:
      return (
        debug(url.pathname, url.searchParams, deps) ??
        json({ error: `no such page '${url.pathname}'`, endpoints: index }, 404)
      );
  }
}

/** Listens. Throws OperationalError when the address cannot be bound. */
export async function startAdmin(deps: AdminDeps, address: string): Promise<Admin> {
  const { pipeline, log } = deps;
  let isServing = false;
  pipeline.metrics.observe({
    proxies: () => pipeline.tracker.proxies().length,
    malformed: () => pipeline.store.world().malformed.size,
    revision: () => pipeline.reconciled()?.model.revision ?? 0,
  });
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const url = new URL(request.url ?? '/', 'http://admin');
    send(response, isRead ? await answer(url, deps, isServing) : json({ error: 'only GET is served' }, 405));
  };
  const server = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => {
      log.error('admin request failed', { error: messageOf(error), path: request.url });
      send(response, json({ error: 'internal error' }, 500));
    });
  });
  const bound = await listen(server, address);
  return {
    address: bound,
    serving: () => {
      isServing = true;
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  if (response.headersSent) return;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}

function listen(server: ReturnType<typeof createServer>, address: string): Promise<string> {
  const parsed = parseAddress(address);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new OperationalError('AddressInUse', `cannot listen on ${address}: ${error.message}`, { cause: error }));
    });
    server.listen(parsed?.port ?? 0, parsed?.host ?? '127.0.0.1', () => {
      const bound = server.address();
      const port = typeof bound === 'object' ? bound?.port : undefined;
      resolve(`${address.slice(0, address.lastIndexOf(':'))}:${String(port ?? 0)}`);
    });
  });
}
