// Joins the patches of several features. One place, so that two features cannot silently fight over a field.

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

function join(left: unknown, right: unknown, path: string): unknown {
  if (left === undefined) return right;
  if (right === undefined) return left;
  if (Array.isArray(left) && Array.isArray(right)) {
    const [first, second]: readonly (readonly unknown[])[] = [left, right];
    return [...(first ?? []), ...(second ?? [])];
  }
  if (isPlain(left) && isPlain(right)) return mergeTwo(left, right, path);
  throw new Error(`two features write ${path}`);
}

/** Both are of one type, and so is their union: each field is of one of them, or joined of both. */
function mergeTwo<T extends object>(left: T, right: T, path: string): T {
  const held = new Map<string, unknown>(Object.entries(left));
  const joined = Object.entries(right).map(([key, value]): [string, unknown] => [
    key,
    join(held.get(key), value, `${path}.${key}`),
  ]);
  return { ...left, ...Object.fromEntries(joined) };
}

/** Merges patches: lists join, messages merge, and one field written twice is a bug that throws. */
export function mergePatches<T extends object>(patches: readonly (T | undefined)[], what: string): T | undefined {
  const [first, ...more] = patches.filter((patch) => patch !== undefined);
  return first === undefined ? undefined : more.reduce((merged, patch) => mergeTwo(merged, patch, what), first);
}

/**
 * A message with a patch laid over it: fields of messages one by one, all else as a whole. What is built in gives way
 * to what a policy says.
 */
export function overridden<Base extends object>(base: Base, patch: object | undefined): Base {
  const held = new Map<string, unknown>(Object.entries(base));
  const laid = Object.entries(patch ?? {}).map(([key, value]): [string, unknown] => {
    const below = held.get(key);
    return [key, isMessage(below) && isMessage(value) ? overridden(below, value) : value];
  });
  return { ...base, ...Object.fromEntries(laid) };
}

/** One of several alternatives is not looked into: another choice replaces it. */
const isMessage = (value: unknown): value is Readonly<Record<string, unknown>> =>
  isPlain(value) && !Object.hasOwn(value, '$case');
