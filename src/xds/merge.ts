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
  if (isPlain(left) && isPlain(right)) return mergeRecords(left, right, path);
  throw new Error(`two features write ${path}`);
}

function mergeRecords(left: Readonly<Record<string, unknown>>, right: Readonly<Record<string, unknown>>, path: string) {
  const merged: Record<string, unknown> = { ...left };
  for (const [key, value] of Object.entries(right)) merged[key] = join(merged[key], value, `${path}.${key}`);
  return merged;
}

/** Merges patches: lists join, messages merge, and one field written twice is a bug that throws. */
export function mergePatches<T extends object>(patches: readonly (T | undefined)[], what: string): T | undefined {
  let merged: unknown;
  for (const patch of patches) merged = join(merged, patch, what);
  // Merged from values of this type, field by field.
  return merged as T | undefined;
}
