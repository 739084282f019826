// Destinations outside of the cluster, as one class of callers may reach them. Knows neither policies nor Envoy.

import type { ObjectKey } from '../api/meta.js';
import type { Origin } from './delivery.js';

/** A port of a host outside of the cluster. */
export interface HostTarget {
  /** DNS name; in lists of what callers may reach also `*.name`. */
  readonly host: string;
  readonly port: number;
}

/** A host to which a route sends. */
export interface HostBackend extends HostTarget {
  /** Of the route: its callers reach the host, and those of the system namespace's routes all callers do. */
  readonly namespace: string;
}

/** Whose certificates are believed: those of roots that the machine of the proxy has, of roots in PEM, or none. */
export type Trust =
  { readonly kind: 'public' } | { readonly kind: 'roots'; readonly pem: string } | { readonly kind: 'nobody' };

/** TLS that the proxy speaks for the application. */
export interface ExternalTls {
  readonly sni: string;
  /** One of them must be in the certificate. */
  readonly subjectAltNames: readonly string[];
  readonly trust: Trust;
}

/** What becomes of calls to a host. */
export type HostAccess =
  /** A policy lists it, so that applications may call it by its name. */
  | 'listed'
  /** Only a route names it. */
  | 'routed'
  /** A policy keeps it for callers of other namespaces. */
  | 'kept';

/** A port of a host, as callers reach it. */
export interface ExternalPort extends HostTarget {
  readonly access: HostAccess;
  /** What applications send. */
  readonly protocol: 'HTTP' | 'TLS' | 'TCP';
  /** Empty: DNS says. */
  readonly addresses: readonly string[];
  readonly tls: ExternalTls | undefined;
  readonly origins: readonly Origin[];
}

/** What a class of callers may reach outside of the cluster. Equal classes are one object. */
export interface EgressModel {
  /** Equal for equal classes. */
  readonly key: string;
  readonly ports: readonly ExternalPort[];
  /** What becomes of destinations that nobody lists; `unsaid` is not the same as `Allow` to an explicit proxy. */
  readonly unknown: 'Allow' | 'Deny' | 'unsaid';
  /** The policy that says so. */
  readonly unknownBy: { readonly policy: ObjectKey; readonly origin: Origin } | undefined;
}

/** Ports on which redirected connections are asked for the name that TLS carries. */
export const namedPorts: readonly number[] = [443, 8443];

/** Whether a name is a host, or below a wildcard. */
export const covers = (pattern: string, host: string): boolean =>
  pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));

/** Whether a name stands for all names below it. */
export const isWildcard = (host: string): boolean => host.startsWith('*.');
