// Which test shows which row. Files in `cases/` register; `traffic.test.ts` runs all of it on every Envoy version.

import type { Row, RowId } from './rows.js';
import { rows } from './rows.js';
import type { TestLab } from './lab.js';
import type { TestMesh } from './mesh.js';

/**
 * What a body shows, besides that it did not throw. `refused`: this Envoy cannot do it, and the body has seen that
 * status says so. `fallback`: it does what is documented for it instead, which the body has seen, and status says so.
 */
export type Shown = 'refused' | 'fallback';

/** What a test does. */
export type Body<Stage = TestMesh> = (stage: Stage) => Promise<Shown | undefined> | Promise<void>;

/** Where a test runs: beside explicit proxies, or in namespaces where the kernel redirects connections to proxies. */
export type Staged =
  { readonly stage: 'explicit'; readonly body: Body } | { readonly stage: 'redirect'; readonly body: Body<TestLab> };

/** A test of a row. */
export interface Case {
  readonly row: Row;
  /** `feature`: a request shows the effect. `misuse`: the configuration is wrong, and the message is read. */
  readonly kind: 'feature' | 'misuse';
  readonly title: string;
  readonly run: Staged;
}

const registered: Case[] = [];

function register(kind: Case['kind'], id: RowId, rest: Pick<Case, 'title' | 'run'>): void {
  const row = rows.find((one) => one.id === id);
  if (row === undefined) throw new Error(`no row '${id}' in rows.ts`);
  if (registered.some((one) => one.row === row && one.title === rest.title))
    throw new Error(`row '${id}' has two tests '${rest.title}'`);
  registered.push({ kind, row, ...rest });
}

/** A test in which requests go through real Envoys, and the effect is seen from outside. */
export const feature = (row: RowId, title: string, body: Body): void => {
  register('feature', row, { title, run: { stage: 'explicit', body } });
};

/** A test in which the configuration is wrong, and status says what. */
export const misuse = (row: RowId, title: string, body: Body): void => {
  register('misuse', row, { title, run: { stage: 'explicit', body } });
};

/** The same where connections are redirected. */
export const redirected = {
  feature: (row: RowId, title: string, body: Body<TestLab>): void => {
    register('feature', row, { title, run: { stage: 'redirect', body } });
  },
  misuse: (row: RowId, title: string, body: Body<TestLab>): void => {
    register('misuse', row, { title, run: { stage: 'redirect', body } });
  },
} as const;

/** All tests, in the order of the rows. */
export const cases = (): readonly Case[] => rows.flatMap((row) => registered.filter((one) => one.row === row));
