// One object for equal content, so that everything keyed by identity is shared.

/** Returns the object first seen under a key, while it is among the recent ones. */
export type Interner<T> = (key: string, value: () => T) => T;

/** An interner that remembers so many keys, the oldest going first. */
export function createInterner<T>(remembered: number): Interner<T> {
  const known = new Map<string, T>();
  return (key, value) => {
    const held = known.get(key);
    if (held !== undefined) return held;
    const made = value();
    const oldest = known.size >= remembered ? known.keys().next().value : undefined;
    if (oldest !== undefined) known.delete(oldest);
    known.set(key, made);
    return made;
  };
}
