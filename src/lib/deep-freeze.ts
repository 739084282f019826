// Freezes in development and tests, where a mutation should throw; a no-op in production, where it only costs.

let enabled = true;

/** Turns freezing off; called once by the composition root in production. */
export function disableFreezing(): void {
  enabled = false;
}

/** Freezes a tree of plain objects and arrays, in place. Buffers and Maps are left alone. */
export function deepFreeze<T>(value: T): T {
  if (enabled) freeze(value);
  return value;
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return;
  Object.freeze(value);
  for (const child of Object.values(value)) freeze(child);
}
