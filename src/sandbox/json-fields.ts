// Reads JSON that others wrote, field by field; what is missing or of another type reads as empty. Pure.

/** The parsed text; undefined when it is no JSON, such as half an answer of a process that is being stopped. */
export function parsedJson(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed;
  } catch {
    return undefined;
  }
}

/** A field of an object; undefined when there is none. */
export function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

/** The items of a list. */
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
/** A text. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
/** A number. */
export const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0);
