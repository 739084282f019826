// The Logger that every room is handed. The winston adapter lives in runtime/logging.ts.

/** Data of a log line, under fixed names: generation, revision, version, nonce, object, proxy, … */
export type LogFields = Readonly<Record<string, unknown>>;

/** Messages are constant and lower case; data goes into fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

/** Says nothing: for tests and for commands whose stderr belongs to the user. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
