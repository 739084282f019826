// What is thought of a user object before anything was delivered.

import type { ConditionStatus, ConditionType, Reason } from '../api/conditions.js';
import type { ObjectRef } from '../api/meta.js';

/** One judgement of one object. */
export interface Finding {
  readonly ref: ObjectRef;
  readonly generation: number;
  /** Index into `spec.parentRefs`, or `spec.targetRefs`; absent: the whole object. */
  readonly parent?: number;
  readonly condition: ConditionType;
  readonly status: ConditionStatus;
  readonly reason: Reason;
  readonly message: string;
  /** Field that the judgement is about. */
  readonly path?: string;
}
