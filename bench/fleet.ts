// The driver's side of the clients process.
import { fileURLToPath } from 'node:url';
import type { ClientsCommand, ClientsInit, ClientsReply, ClientsStatus, WireResource } from './protocol.js';
import { endProcess, spawnOn, within } from './processes.js';

type ReplyOf<Kind extends ClientsReply['kind']> = Extract<ClientsReply, { readonly kind: Kind }>;

/** A running clients process. */
export interface Fleet {
  readonly pid: number;
  readonly tell: (command: Extract<ClientsCommand, { readonly kind: 'oracle' | 'dial' | 'drop' }>) => Promise<void>;
  /** When each client became equal to the oracle; waits for the last one. */
  readonly untilComplete: (limitMs: number) => Promise<ReplyOf<'await'>>;
  /** What the first client has. */
  readonly dump: () => Promise<readonly WireResource[]>;
  readonly status: () => Promise<ClientsStatus>;
  readonly stop: () => Promise<void>;
}

const ASK_LIMIT_MS = 60_000;

const unexpected = (reply: ClientsReply): never => {
  throw new Error(`unexpected reply ${reply.kind} of the clients`);
};

/** Starts the clients process; its clients connect with `dial`. */
export const startFleet = async (init: ClientsInit, core: number | undefined): Promise<Fleet> => {
  const script = fileURLToPath(new URL('clients/main.ts', import.meta.url));
  const child = spawnOn(core, [process.execPath, '--max-old-space-size=8192', '--import', 'tsx', script], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  const waiting = new Map<string, { resolve: (reply: ClientsReply) => void; reject: (error: Error) => void }>();
  child.on('message', (message: ClientsReply) => {
    waiting.get(message.kind)?.resolve(message);
    waiting.delete(message.kind);
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the clients ended with code ${String(code)}`));
  });
  const ask = (command: ClientsCommand, limitMs = ASK_LIMIT_MS): Promise<ClientsReply> => {
    const answer = new Promise<ClientsReply>((resolve, reject) => waiting.set(command.kind, { resolve, reject }));
    child.send(command);
    return within(answer, limitMs, `clients, ${command.kind}`);
  };
  await ask(init);
  return {
    pid: child.pid ?? 0,
    tell: async (command) => {
      await ask(command);
    },
    untilComplete: async (limitMs) => {
      const reply = await ask({ kind: 'await' }, limitMs);
      return reply.kind === 'await' ? reply : unexpected(reply);
    },
    dump: async () => {
      const reply = await ask({ kind: 'dump' });
      if (reply.kind !== 'dump') return unexpected(reply);
      // Over IPC a Buffer may arrive as a plain Uint8Array.
      return reply.resources.map((resource) => ({ ...resource, value: Buffer.from(resource.value) }));
    },
    status: async () => {
      const reply = await ask({ kind: 'status' });
      return reply.kind === 'status' ? reply : unexpected(reply);
    },
    stop: () => endProcess(child),
  };
};
