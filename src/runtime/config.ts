// Flags and environment to a checked configuration. Refuses what cannot be meant, with what would be allowed.

import { err, ok, type Result } from '../lib/result.js';
import { transportNames, type TransportName } from '../xds/transport.js';
import type { LoggingOptions } from './logging.js';

/** How a control plane runs. */
export interface RunConfig {
  /** Files and folders that the mesh is read from. */
  readonly sources: readonly string[];
  /** `127.0.0.1:18000`. */
  readonly xdsListen: string;
  readonly xdsInsecure: boolean;
  readonly xdsTransport: TransportName;
  readonly adminListen: string;
  readonly capture: 'explicit' | 'redirect';
  /** Replace pod addresses that are not on loopback. */
  readonly loopbackPods: boolean;
  /** Move container ports below 1024 up by 20000. */
  readonly highPorts: boolean;
  /** Whether policies may bring code and patches of their own. */
  readonly enableExtensions: boolean;
  /** Where status is written, too. */
  readonly statusFile?: string;
  readonly logLevel: LoggingOptions['level'];
  readonly logFormat: LoggingOptions['format'];
}

/** Flags as they were typed. */
export interface RunFlags {
  readonly source: readonly string[];
  readonly xdsListen?: string;
  readonly xdsInsecure?: boolean;
  readonly xdsTransport?: string;
  readonly adminListen?: string;
  readonly capture?: string;
  readonly loopbackPods?: boolean;
  readonly highPorts?: boolean;
  readonly enableExtensions?: boolean;
  readonly statusFile?: string;
  readonly logLevel?: string;
  readonly logFormat?: string;
}

const levels = ['debug', 'info', 'warn', 'error'] as const;
const formats = ['json', 'text'] as const;
const captures = ['explicit', 'redirect'] as const;

/** Host and port of an address such as `127.0.0.1:0` or `[::1]:18000`; undefined when it is not one. */
export function parseAddress(address: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);

function choice<T extends string>(
  { flag, value }: { readonly flag: string; readonly value: string | undefined },
  allowed: readonly T[],
  mistakes: string[],
): T | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((one) => one === value);
  if (found === undefined) mistakes.push(`--${flag} must be one of ${allowed.join(', ')}; found '${value}'`);
  return found;
}

function sourcesOf(flags: RunFlags, mistakes: string[]): readonly string[] {
  if (flags.source.length === 0) mistakes.push('--source dir:PATH must be given at least once');
  return flags.source.map((source) => {
    if (source.startsWith('dir:')) return source.slice(4);
    if (/^[a-z]+:/.test(source)) mistakes.push(`--source must begin with 'dir:'; found '${source}'`);
    return source;
  });
}

function checkTransport(flags: RunFlags, xdsListen: string, mistakes: string[]): void {
  const address = parseAddress(xdsListen);
  if (address === undefined) {
    mistakes.push(`--xds-listen must be HOST:PORT; found '${xdsListen}'`);
    return;
  }
  if (flags.xdsInsecure !== true) {
    mistakes.push(
      'TLS and authentication of the xDS port are not compiled yet; add --xds-insecure to serve plain text on loopback',
    );
    return;
  }
  if (!isLoopback(address.host)) {
    mistakes.push(
      `--xds-insecure serves every configuration to whoever connects, without a password; it is allowed on 127.0.0.0/8, ::1 and localhost only, found '${address.host}'`,
    );
  }
}

function checkAdmin(adminListen: string, mistakes: string[]): void {
  const admin = parseAddress(adminListen);
  if (admin === undefined) mistakes.push(`--admin-listen must be HOST:PORT; found '${adminListen}'`);
  else if (!isLoopback(admin.host)) mistakes.push(`--admin-listen must be a loopback address; found '${admin.host}'`);
}

/** Checks flags; all mistakes at once. */
export function parseRunConfig(flags: RunFlags): Result<RunConfig, readonly string[]> {
  const mistakes: string[] = [];
  const xdsListen = flags.xdsListen ?? '127.0.0.1:18000';
  const adminListen = flags.adminListen ?? '127.0.0.1:19000';
  const sources = sourcesOf(flags, mistakes);
  checkTransport(flags, xdsListen, mistakes);
  checkAdmin(adminListen, mistakes);
  const [ofChoice] = transportNames;
  const xdsTransport =
    choice({ flag: 'xds-transport', value: flags.xdsTransport }, transportNames, mistakes) ?? ofChoice;
  const capture = choice({ flag: 'capture', value: flags.capture }, captures, mistakes) ?? 'explicit';
  const logLevel = choice({ flag: 'log-level', value: flags.logLevel }, levels, mistakes) ?? 'info';
  const logFormat = choice({ flag: 'log-format', value: flags.logFormat }, formats, mistakes) ?? 'json';
  if (mistakes.length > 0) return err(mistakes);
  return ok({
    sources,
    xdsListen,
    xdsInsecure: flags.xdsInsecure === true,
    xdsTransport,
    adminListen,
    capture,
    loopbackPods: flags.loopbackPods === true,
    highPorts: flags.highPorts === true,
    enableExtensions: flags.enableExtensions === true,
    ...(flags.statusFile === undefined ? {} : { statusFile: flags.statusFile }),
    logLevel,
    logFormat,
  });
}
