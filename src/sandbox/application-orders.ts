// The line that tells the application process which pods to play. Both ends of the pipe are ours, so the reader
// checks shape only and drops what it cannot use.

import { isRecord } from '../lib/record.js';
import type { ApplicationPod } from './application.js';
import type { Behaviour } from './behaviour.js';

/** The line for a list of pods. */
export function applicationOrder(pods: readonly ApplicationPod[]): string {
  return JSON.stringify(pods);
}

/** The pods of a line. */
export function parseApplicationPods(line: string): readonly ApplicationPod[] {
  const parsed: unknown = JSON.parse(line);
  return Array.isArray(parsed) ? parsed.filter(isApplicationPod) : [];
}

function isApplicationPod(value: unknown): value is ApplicationPod {
  if (!isRecord(value)) return false;
  const texts = [value['namespace'], value['name'], value['address'], value['proxy']];
  return (
    texts.every((text) => typeof text === 'string') &&
    isRecord(value['labels']) &&
    Array.isArray(value['ports']) &&
    isBehaviour(value['behaviour'])
  );
}

function isBehaviour(value: unknown): value is Behaviour {
  if (!isRecord(value)) return false;
  const numbers = [value['latencyMs'], value['failurePercent'], value['failureStatus']];
  return numbers.every((number) => typeof number === 'number') && Array.isArray(value['calls']);
}
