// The process of a pod, from the test's side: calls are ordered over a channel that survives the change of namespace.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { end } from '../envoy/processes.js';
import type { Answer, Asked, Call, PodOrder } from './orders.js';

/** A pod whose application runs. */
export interface RunningPod {
  /** Calls as this pod's application. */
  call(asked: Call): Promise<Answer>;
  /** How often a request with each id arrived. */
  arrivals(): Promise<ReadonlyMap<string, number>>;
  stop(): Promise<void>;
}

interface Message {
  readonly id: number;
  readonly answer?: Answer;
  readonly arrivals?: readonly (readonly [string, number])[];
}

/** Starts the process in a namespace; resolves once its applications listen. */
export async function startPod(namespace: string, order: PodOrder, logFile: string): Promise<RunningPod> {
  const log = openSync(logFile, 'a');
  const program = [process.execPath, '--import', 'tsx', 'test/netns/pod-main.ts', JSON.stringify(order)];
  const child: ChildProcess = spawn('ip', ['netns', 'exec', namespace, ...program], {
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const waiting = new Map<number, (message: Message) => void>();
  let count = 0;
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(new Error(`the process of ${order.name} ended with ${String(code)}; see ${logFile}`));
    });
    child.on('message', (message: Message) => {
      if (message.id === 0) resolve();
      waiting.get(message.id)?.(message);
      waiting.delete(message.id);
    });
  });
  const ask = (asked: Asked): Promise<Message> =>
    new Promise((resolve) => {
      count += 1;
      waiting.set(count, resolve);
      child.send({ id: count, asked });
    });
  return {
    call: async (asked) => {
      const { answer } = await ask(asked);
      if (answer === undefined) throw new Error(`${order.name} answered something else`);
      return answer;
    },
    arrivals: async () => new Map((await ask('arrivals')).arrivals),
    stop: () => end(child),
  };
}
