// How deep objects may be nested: everything downstream walks them by recursion. Knows no kind.

/** Levels of mappings and lists in one document. */
export const maxDepth = 64;

const childrenOf = (value: unknown): readonly unknown[] =>
  typeof value === 'object' && value !== null ? Object.values(value) : [];

/** Whether a value has more levels than `maxDepth`. Walks level by level, so that depth costs no stack. */
export function isTooDeep(value: unknown): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; depth <= maxDepth && level.length > 0; depth += 1) level = level.flatMap(childrenOf);
  return level.length > 0;
}
