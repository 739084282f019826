// Objects whose delivery is not complete, by what they wait for: all that a build brings wait for one revision,
// so that an acknowledgement costs a look at a few revisions, whatever the number of objects.

import type { Reaches } from './reach.js';

/** What an object waits for: that nobody in reach is behind a revision. */
export interface Wait {
  readonly reach: string | undefined;
  readonly revision: number;
}

/** Objects that wait. */
export interface Waiting {
  add(id: string, wait: Wait): void;
  remove(id: string): void;
  /** Objects that wait no longer; each is told once. */
  takeDone(): readonly string[];
}

/** Nothing waits yet. */
export function createWaiting(reaches: Reaches): Waiting {
  const groups = new Map<string, { readonly wait: Wait; readonly ids: Set<string> }>();
  const keyOf = new Map<string, string>();

  return {
    add: (id, wait) => {
      const key = `${wait.reach ?? ''} ${String(wait.revision)}`;
      const group = groups.get(key) ?? { wait, ids: new Set<string>() };
      groups.set(key, group);
      group.ids.add(id);
      keyOf.set(id, key);
    },
    remove: (id) => {
      const key = keyOf.get(id) ?? '';
      const group = groups.get(key);
      group?.ids.delete(id);
      if (group?.ids.size === 0) groups.delete(key);
      keyOf.delete(id);
    },
    takeDone: () => {
      if (groups.size === 0) return [];
      const done = [...groups].filter(([, { wait }]) => reaches.allAtLeast(wait.reach, wait.revision));
      return done.flatMap(([key, { ids }]) => {
        groups.delete(key);
        for (const id of ids) keyOf.delete(id);
        return [...ids];
      });
    },
  };
}
