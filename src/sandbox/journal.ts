// What happened in a sandbox, as short lines: processes that ended and came back, mistakes in annotations. The newest
// are kept for the picture; all are told at once.

import type { Clock } from '../lib/clock.js';
import type { ChildEvent } from './child.js';
import { lastLines } from './run-folder.js';

/** Collects events. */
export interface Journal {
  noteChild(event: ChildEvent): void;
  /** Mistakes that are there now; each is told once. */
  noteProblems(problems: readonly string[]): void;
  /** Newest last. */
  events(): readonly string[];
}

const kept = 50;
const shownLogLines = 3;

/** An empty journal that tells each line to `tell`. */
export function createJournal(clock: Clock, tell: (line: string) => void): Journal {
  const events: string[] = [];
  let known: ReadonlySet<string> = new Set();

  function note(text: string): void {
    const line = `${new Date(clock.now()).toISOString().slice(11, 19)} ${text}`;
    events.push(line);
    if (events.length > kept) events.shift();
    tell(line);
  }

  return {
    noteChild: (event) => {
      if (event.kind === 'started' && event.restarts > 0) note(`${event.name} started again (process ${event.pid})`);
      if (event.kind === 'started' || event.wanted) return;
      note(`${event.name} ended: ${event.how}`);
      for (const line of lastLines(event.logFile, shownLogLines)) note(`  ${line}`);
    },
    noteProblems: (problems) => {
      for (const problem of problems) if (!known.has(problem)) note(problem);
      known = new Set(problems);
    },
    events: () => events,
  };
}
