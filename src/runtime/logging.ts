// The winston adapter: one line of JSON, or of text for people, per message, on stderr.

import { createLogger as createWinston, format, transports, type Logger as Winston } from 'winston';
import type { LogFields, Logger } from '../lib/logger.js';

export interface LoggingOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'json' | 'text';
}

const text = format.printf(({ timestamp, level, message, ...fields }) => {
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [String(timestamp), level.toUpperCase().padEnd(5), String(message), ...rest].join(' ');
});

function adapt(winston: Winston): Logger {
  const at =
    (level: LoggingOptions['level']) =>
    (message: string, fields: LogFields = {}) => {
      winston.log(level, message, fields);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => adapt(winston.child(fields)),
  };
}

/** A logger that writes to stderr. */
export function createLogger(options: LoggingOptions): Logger {
  const winston = createWinston({
    level: options.level,
    format:
      options.format === 'json'
        ? format.combine(format.timestamp(), format.json())
        : format.combine(format.timestamp(), text),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's own types disagree on what a transport is
    transports: [new transports.Console({ stderrLevels: ['debug', 'info', 'warn', 'error'] })],
  });
  return adapt(winston);
}
