// The words that findings share. Knows no object.

import { reasons, type Reason } from '../api/conditions.js';
import type { Problem } from '../lib/result.js';
import type { Finding } from '../model/finding.js';

/** A finding before it is said of whom. */
export type Judgement = Omit<Finding, 'ref' | 'generation'>;

/** Says a judgement of an object. */
export const judge = (about: Pick<Finding, 'ref' | 'generation'>, judgement: Judgement): Finding => ({
  ref: about.ref,
  generation: about.generation,
  ...judgement,
});

const isReason = (reason: string): reason is Reason => Object.hasOwn(reasons, reason);

/** A reason of the closed vocabulary. */
export const reasonOf = (reason: string, otherwise: Reason): Reason => (isReason(reason) ? reason : otherwise);

/** Rules of single values speak of the value alone: the path is put before what names no field. Others name objects. */
const naming = ({ path, reason, message }: Problem): string =>
  path === '' || reason !== 'Invalid' || message.includes('`') ? message : `\`${path}\`: ${message}`;

/** Nothing of the object is in force. */
export const refusal = (problem: Problem): Judgement => ({
  condition: 'Accepted',
  status: 'False',
  reason: reasonOf(problem.reason, 'Invalid'),
  message: naming(problem),
  path: problem.path,
});

/** Of a list in one message the first is said in full; this says how many more there are. */
export const more = (count: number): string => (count > 1 ? ` (and ${String(count - 1)} more)` : '');
