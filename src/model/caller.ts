// Classes of callers. There are as many as combinations of a namespace and the source conditions that hold in it, not as
// many as proxies: in a mesh without source conditions, one for each namespace.

import { createInterner } from '../lib/intern.js';
import type { Caller, Match } from './mesh.js';

const callers = createInterner<Caller>(100_000);

/** The class of a namespace's callers for which these source conditions hold, by their keys. */
export function callerOf(namespace: string, sources: readonly string[]): Caller {
  const sorted = [...new Set(sources)].sort();
  return callers([namespace, ...sorted].join('\n'), () => ({ namespace, sources: sorted }));
}

/** Callers of no namespace in particular, with no condition that holds: those that get what is for all. */
export const everyone: Caller = callerOf('', []);

/** Whether a match is for a caller at all. */
export const isFor = ({ sources }: Match, caller: Caller): boolean =>
  sources.every(({ key }) => caller.sources.includes(key));
