// The objects of a test, written and waited for. Waiting is on the status of what was written, never on time.

import { conditionOf, type StatusItem } from '../envoy/harness.js';
import { fileOf } from '../envoy/objects.js';
import { eventually } from '../support/eventually.js';
import { checksHealth, type Input, keyOf, keysOf, leavesTrace, markOf, objectsOf } from './written.js';

const isJudged = (item: StatusItem): boolean =>
  item.status.conditions.length > 0 && conditionOf(item, 'Reconciling').is === '';

const isReady = (item: StatusItem): boolean => conditionOf(item, 'Ready').is.startsWith('True');

const complaint = (item: StatusItem): string => {
  const { is, message } = conditionOf(item, 'Ready');
  return `${item.kind} ${item.metadata.name}: ${is}: ${message}`;
};

/** What a test writes to. */
export interface Folder {
  write(name: string, content: string): Promise<void>;
  remove(name: string): Promise<void>;
  statuses(): Promise<readonly StatusItem[]>;
}

/** Where a test writes. */
interface Place {
  readonly file: string;
  /** Of objects that name none. */
  readonly namespace: string;
  /** Whether other tests see what is in it. */
  readonly isShared: boolean;
  /** What is waited for where endpoints were checked. */
  readonly settle?: () => Promise<unknown>;
}

/** The objects of one test: a file of their own, that is replaced as a whole. */
export interface Writer {
  /** Waits until all objects are in force; throws if one is not ready. */
  apply(inputs: readonly Input[]): Promise<void>;
  /** The same for objects of which some are wrong: waits until every one is judged. */
  attempt(inputs: readonly Input[]): Promise<void>;
  clear(): Promise<void>;
}

/** A writer of a test. */
export function createWriter(mesh: Folder, { file, namespace, isShared, settle }: Place): Writer {
  let marks = 0;
  let mark = '';
  let leavesTraces = false;
  let checks = false;

  /** Resolves to the statuses of all that was written, once each is judged. */
  async function write(inputs: readonly Input[]): Promise<readonly StatusItem[]> {
    mark = `mark-${String(marks++)}`;
    const objects = objectsOf([...inputs, markOf(mark)], namespace);
    leavesTraces ||= isShared || objects.some((object) => leavesTrace(object, namespace));
    checks ||= objects.some(checksHealth);
    const keys = keysOf(objects);
    let own: readonly StatusItem[] = [];
    await mesh.write(file, fileOf(objects));
    await eventually(
      async () => {
        own = (await mesh.statuses()).filter((item) => keys.has(keyOf(item.kind, item.metadata)));
        return (own.some(({ metadata }) => metadata.name === mark) && own.every(isJudged)) || own.map(complaint);
      },
      { what: 'the objects of the test to be judged', deadlineMs: 15_000, everyMs: 10 },
    );
    return own;
  }

  /** What other tests could see is waited for until it is gone. */
  async function clear(): Promise<void> {
    if (mark === '') return;
    await mesh.remove(file);
    if (!leavesTraces) return;
    const isOwn = ({ metadata }: StatusItem): boolean => metadata.namespace === namespace && metadata.name === mark;
    await eventually(async () => !(await mesh.statuses()).some(isOwn), { what: 'the objects of a test to be gone' });
    if (checks) await settle?.();
  }

  return {
    apply: async (inputs) => {
      const unready = (await write(inputs)).filter((item) => !isReady(item));
      if (unready.length > 0) throw new Error(`not ready: ${unready.map(complaint).join('; ')}`);
    },
    attempt: async (inputs) => {
      await write(inputs);
    },
    clear,
  };
}
