// The clients process: runs all simulated Envoys of a contender and reports to the driver over IPC.
import {
  monotonicMs,
  type ClientsCommand,
  type ClientsInit,
  type ClientsReply,
  type ClientsStatus,
  type WireChange,
  type WireResource,
} from '../protocol.js';
import { ANY_CONTENT, createCatalog, internContent, internName, setWanted, type Catalog } from './catalog.js';
import { createEnvoy, type Envoy } from './envoy.js';
import { encodeNode } from './requests.js';
import { createResponseReader, type ResponseReader } from './responses.js';
import { count, verify } from './state.js';
import { typeOf } from './types.js';

/** All clients of one run, and when each last became complete. */
interface Fleet {
  readonly init: ClientsInit;
  readonly catalog: Catalog;
  readonly reader: ResponseReader;
  readonly envoys: readonly Envoy[];
  /** When each client became complete; 0 while it is not. */
  readonly times: Float64Array;
  readonly closed: string[];
  /** What one client alone must have, until the oracle changes for all. */
  readonly own: { client: number; wanted: readonly OwnContent[] };
  readonly counters: { complete: number; lastHandledMs: number; bytesAtOracle: number; awaited: boolean };
}

interface OwnContent {
  readonly type: number;
  readonly name: number;
  readonly content: number;
}

const reply = (message: ClientsReply): void => {
  process.send?.(message);
};

const totalBytes = (fleet: Fleet): number => fleet.envoys.reduce((sum, envoy) => sum + envoy.bytesRead(), 0);

const answerIfComplete = (fleet: Fleet): void => {
  const { counters, envoys, times } = fleet;
  if (!counters.awaited || counters.complete < envoys.length) return;
  counters.awaited = false;
  reply({ kind: 'await', times: [...times], bytes: totalBytes(fleet) - counters.bytesAtOracle });
};

const hasOwn = ({ own, catalog, envoys }: Fleet, index: number): boolean =>
  own.client !== index ||
  own.wanted.every(({ type, name, content }) => {
    const variant = envoys[index]?.state.types[type]?.variants[name] ?? 0;
    return catalog[type]?.variants[variant]?.content === content;
  });

const noteHandled = (fleet: Fleet, index: number, equals: boolean): void => {
  const { counters, times } = fleet;
  const isComplete = equals && hasOwn(fleet, index);
  counters.lastHandledMs = monotonicMs();
  const wasComplete = (times[index] ?? 0) > 0;
  if (isComplete === wasComplete) return;
  times[index] = isComplete ? counters.lastHandledMs : 0;
  counters.complete += isComplete ? 1 : -1;
  answerIfComplete(fleet);
};

const fillHeaders = (headers: Readonly<Record<string, string>>, index: number): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replaceAll('{i}', String(index))]));

const METHOD = {
  delta: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
  sotw: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
} as const;

const createFleet = (init: ClientsInit): Fleet => {
  const catalog = createCatalog();
  const reader = createResponseReader(init.mode, catalog);
  const closed: string[] = [];
  const envoys = Array.from({ length: init.proxies }, (_, index) =>
    createEnvoy({
      mode: init.mode,
      catalog,
      reader,
      target: { port: init.port, path: METHOD[init.mode], headers: fillHeaders(init.headers, index) },
      node: encodeNode(init.node, index),
      scopes: init.scopes,
      partialScopes: init.partialScopes,
      routes: init.routes,
      onHandled: (isComplete) => {
        noteHandled(fleet, index, isComplete);
      },
      onClosed: (reason) => closed.push(`client ${String(index)}: ${reason}`),
    }),
  );
  const fleet: Fleet = {
    init,
    catalog,
    reader,
    envoys,
    times: new Float64Array(init.proxies),
    closed,
    own: { client: -1, wanted: [] },
    counters: { complete: 0, lastHandledMs: monotonicMs(), bytesAtOracle: 0, awaited: false },
  };
  return fleet;
};

const noteAll = (fleet: Fleet): void => {
  fleet.counters.bytesAtOracle = totalBytes(fleet);
  fleet.reader.forget();
  fleet.envoys.forEach((envoy, index) => {
    noteHandled(fleet, index, envoy.isComplete());
  });
};

/** For one client alone; nothing that others have may change. */
const changeOwn = (fleet: Fleet, client: number, { upsert }: WireChange): void => {
  fleet.own.client = client;
  fleet.own.wanted = upsert.flatMap(({ type, name, value }): readonly OwnContent[] => {
    const entry = fleet.catalog[typeOf(type)];
    return entry === undefined
      ? []
      : [{ type: typeOf(type), name: internName(entry, name), content: internContent(value) }];
  });
  noteAll(fleet);
};

/** Every client is compared with the new oracle at once; those that it puts behind lose their time. */
const changeOracle = (fleet: Fleet, change: WireChange): void => {
  const { catalog, envoys, init } = fleet;
  fleet.own.client = -1;
  const perProxy = init.perProxy === undefined ? undefined : new RegExp(init.perProxy);
  const set = (type: number, name: string, content: number): void => {
    const entry = catalog[type];
    if (entry === undefined) return;
    const id = internName(entry, name);
    const states = envoys.map((envoy) => envoy.state.types[type]);
    for (const state of states) if (state !== undefined) count({ entry, state, name: id, by: -1 });
    setWanted(entry, id, content);
    for (const state of states) if (state !== undefined) count({ entry, state, name: id, by: 1 });
  };
  for (const { type, name, value } of change.upsert) {
    const isFree = perProxy?.test(name) ?? false;
    set(typeOf(type), name, isFree ? ANY_CONTENT : internContent(value));
  }
  for (const { type, name } of change.remove) set(typeOf(type), name, 0);
  noteAll(fleet);
};

const dump = (fleet: Fleet): readonly WireResource[] => {
  const envoy = fleet.envoys[0];
  return fleet.catalog.flatMap((type, i) =>
    [...(envoy?.state.types[i]?.variants ?? [])].flatMap((id) => {
      const variant = type.variants[id];
      if (variant === undefined) return [];
      return [{ type: type.info.url, name: type.names[variant.name] ?? '', value: variant.value }];
    }),
  );
};

const explain = (fleet: Fleet, envoy: Envoy): readonly string[] =>
  fleet.catalog.flatMap((type, i) => {
    const state = envoy.state.types[i];
    const total = `${type.info.short}: right ${String(state?.right)} of ${String(type.wanted)}, extra ${String(state?.extra)}`;
    const faulty = type.names.filter((_, id) => {
      const content = type.variants[state?.variants[id] ?? 0]?.content ?? 0;
      return type.want[id] !== ANY_CONTENT && content !== (type.want[id] ?? 0);
    });
    return [total, ...faulty.slice(0, 3).map((name) => `  wrong: ${name}`)];
  });

const status = (fleet: Fleet): ClientsStatus => {
  const wrong = fleet.envoys.filter((envoy, index) => !verify(fleet.catalog, envoy.state) || !hasOwn(fleet, index));
  return {
    kind: 'status',
    wrong: wrong.length,
    closed: fleet.closed.slice(0, 5),
    bytes: totalBytes(fleet),
    idleMs: monotonicMs() - fleet.counters.lastHandledMs,
    example: wrong[0] === undefined ? [] : explain(fleet, wrong[0]),
  };
};

const dial = (fleet: Fleet): void => {
  fleet.times.fill(0);
  fleet.counters.complete = 0;
  fleet.counters.bytesAtOracle = totalBytes(fleet);
  for (const envoy of fleet.envoys) envoy.dial();
};

const act = (fleet: Fleet, command: Exclude<ClientsCommand, ClientsInit | { readonly kind: 'exit' }>): void => {
  switch (command.kind) {
    case 'oracle':
      if (command.client === undefined) changeOracle(fleet, command.change);
      else changeOwn(fleet, command.client, command.change);
      reply({ kind: 'oracle' });
      return;
    case 'dial':
      dial(fleet);
      reply({ kind: 'dial' });
      return;
    case 'drop':
      for (const envoy of fleet.envoys) envoy.drop();
      reply({ kind: 'drop' });
      return;
    case 'await':
      fleet.counters.awaited = true;
      answerIfComplete(fleet);
      return;
    case 'dump':
      reply({ kind: 'dump', resources: dump(fleet) });
      return;
    case 'status':
      reply(status(fleet));
  }
};

const main = (): void => {
  let fleet: Fleet | undefined;
  process.on('message', (command: ClientsCommand) => {
    if (command.kind === 'exit') process.exit(0);
    if (command.kind === 'init') {
      fleet = createFleet(command);
      reply({ kind: 'init' });
    } else if (fleet !== undefined) {
      act(fleet, command);
    }
  });
  process.on('disconnect', () => process.exit(0));
};

main();
