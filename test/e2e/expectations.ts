// What tests look at again and again.

import { expect } from 'chai';
import { systemClock as clock } from '../../src/lib/clock.js';
import type { Answer, Caller } from './caller.js';
import type { SeenCondition } from './mesh.js';

/** Fails unless a condition is as told, `False Invalid`, and its message holds all fragments. */
export function expectCondition(seen: SeenCondition, is: string, ...fragments: readonly string[]): void {
  expect(seen.is, seen.message).to.equal(is);
  for (const fragment of fragments) expect(seen.message).to.include(fragment);
}

/** The body where a rule answered by itself, else the server or the status. */
export const ruleOf = (answer: Answer): string => (answer.by === '200' ? answer.body : answer.by);

/** Fails unless each URL is answered by the rule or the server that it names. */
export async function expectAnswers(
  caller: Caller,
  wanted: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const seen = await Promise.all(
    Object.keys(wanted).map(async (url) => [url, ruleOf(await caller.get(url, headers))] as const),
  );
  expect(Object.fromEntries(seen)).to.deep.equal(wanted);
}

/** What `task` resolves to, and the milliseconds that it took. */
export async function timed<T>(task: () => Promise<T>): Promise<readonly [T, number]> {
  const start = clock.now();
  return [await task(), clock.now() - start];
}
