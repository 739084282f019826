// The shape that every mapping of YAML or JSON has before anything is known of its members.

/** Whether a value is a mapping: no list, no scalar, no null. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
