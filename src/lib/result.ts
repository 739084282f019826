// Values for what can go wrong. User mistakes are Problems, the environment fails as OperationalError,
// bugs throw. Knows nothing of meshes.

/** Success with a value, or failure with an error; never thrown. */
export type Result<T, E = readonly Problem[]> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

/** One mistake in a user's object. `path` is a field path such as `spec.rules[0].matches[1].path.value`. */
export interface Problem {
  readonly path: string;
  /** CamelCase, stable, one of `Reason` in `api/conditions.ts`. */
  readonly reason: string;
  /** Says what was found and what is allowed. */
  readonly message: string;
}

export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });
export const err = <E>(error: E): { readonly ok: false; readonly error: E } => ({ ok: false, error });

/** All values if every result is ok, else all errors in order. */
export function collect<T, E>(results: readonly Result<T, readonly E[]>[]): Result<readonly T[], readonly E[]> {
  const values: T[] = [];
  const errors: E[] = [];
  for (const result of results) {
    if (result.ok) values.push(result.value);
    else errors.push(...result.error);
  }
  return errors.length === 0 ? ok(values) : err(errors);
}

/** Closed list of ways in which the environment fails. */
export type OperationalCode =
  'AddressInUse' | 'FileUnreadable' | 'PeerUnreachable' | 'ProcessFailed' | 'Timeout' | 'InvalidConfig';

/** The environment failed: a port is taken, a file cannot be read, a peer does not answer. */
export class OperationalError extends Error {
  readonly code: OperationalCode;
  readonly retry: 'backoff' | 'never';

  constructor(code: OperationalCode, message: string, options: { retry?: 'backoff' | 'never'; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'OperationalError';
    this.code = code;
    this.retry = options.retry ?? 'never';
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
