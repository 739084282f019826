// The rules that redirect a pod's TCP through its proxy, as text for `iptables-restore --noflush`: one transaction for
// each family, in the nat table of the pod's own network namespace. Pure; must not know who applies them.

import { ports } from '../api/meta.js';

/** Whose connections are redirected, and which are let be. */
export interface RedirectOptions {
  /** The user that the proxy runs as, and nothing else in the pod: its connections leave as they are. */
  readonly proxyUid: number;
  /** A group that means the proxy as well, where the platform assigns users. */
  readonly proxyGid?: number;
  /** Ports of the application that callers reach without the proxy. */
  readonly excludeInboundPorts?: readonly number[];
  /** Ports that the application calls without the proxy, at any address. */
  readonly excludeOutboundPorts?: readonly number[];
  /** Addresses that the application calls without the proxy; each goes to the rules of its family. */
  readonly excludeOutboundCidrs?: readonly string[];
}

/** Text for `iptables-restore` and for `ip6tables-restore`. */
export interface RedirectRules {
  readonly ipv4: string;
  readonly ipv6: string;
}

/**
 * The address from which a proxy delivers to its own application, by family. The IPv6 one is nobody's: where the rules
 * are applied, `ip addr add ::6/128 dev lo` must be run as well.
 */
export const deliverySource = { ipv4: '127.0.0.6', ipv6: '::6' } as const;

interface Family {
  readonly source: string;
  readonly loopback: string;
  readonly has: (cidr: string) => boolean;
}

const families: Readonly<Record<keyof RedirectRules, Family>> = {
  ipv4: { source: `${deliverySource.ipv4}/32`, loopback: '127.0.0.1/32', has: (cidr) => !cidr.includes(':') },
  ipv6: { source: `${deliverySource.ipv6}/128`, loopback: '::1/128', has: (cidr) => cidr.includes(':') },
};

/** The ports of readiness, probes and metrics: asked for by the platform, never a part of the mesh. */
const ownPorts: readonly string[] = [String(ports.readiness), '15022:15029', String(ports.metrics)];

/** What one match of several ports can hold; a range counts as two. */
const maxPortsOfMatch = 15;

function portMatches(all: readonly string[]): readonly string[] {
  const lists: string[][] = [];
  let room = 0;
  for (const port of all) {
    const cost = port.includes(':') ? 2 : 1;
    if (cost > room) {
      lists.push([]);
      room = maxPortsOfMatch;
    }
    room -= cost;
    lists.at(-1)?.push(port);
  }
  return lists.map((list) => `-p tcp -m multiport --dports ${list.join(',')}`);
}

function inbound({ excludeInboundPorts = [] }: RedirectOptions): readonly string[] {
  return [
    '-A PREROUTING -p tcp -j LEGATION_IN',
    // Only what is addressed to this pod: a neighbour that routes a Service's address to us would otherwise be handed
    // to the listener of that Service, which is for our own application.
    '-A LEGATION_IN -m addrtype ! --dst-type LOCAL -j RETURN',
    ...portMatches([...ownPorts, ...excludeInboundPorts.map(String)]).map(
      (match) => `-A LEGATION_IN ${match} -j RETURN`,
    ),
    '-A LEGATION_IN -p tcp -j LEGATION_IN_REDIRECT',
    `-A LEGATION_IN_REDIRECT -p tcp -j REDIRECT --to-ports ${String(ports.inbound)}`,
  ];
}

function outbound(options: RedirectOptions, { source, loopback, has }: Family): readonly string[] {
  const { proxyUid, proxyGid, excludeOutboundPorts = [], excludeOutboundCidrs = [] } = options;
  const owners = [
    `--uid-owner ${String(proxyUid)}`,
    ...(proxyGid === undefined ? [] : [`--gid-owner ${String(proxyGid)}`]),
  ];
  return [
    '-A OUTPUT -p tcp -j LEGATION_OUT',
    // The proxy delivers to the application. To the kernel this is the same as the next: only the source tells them apart.
    `-A LEGATION_OUT -o lo -s ${source} -j RETURN`,
    // The proxy chose its own pod among the endpoints of a Service: a call as from anybody, inbound policies apply.
    ...owners.map((owner) => `-A LEGATION_OUT -o lo ! -d ${loopback} -p tcp -m owner ${owner} -j LEGATION_IN_REDIRECT`),
    // The application talks to itself, by loopback or by the address of its pod: that never was the network.
    `-A LEGATION_OUT -o lo -m owner ${owners.map((owner) => `! ${owner}`).join(' ')} -j RETURN`,
    // Whatever else the proxy sends has been through it.
    ...owners.map((owner) => `-A LEGATION_OUT -m owner ${owner} -j RETURN`),
    `-A LEGATION_OUT -d ${loopback} -j RETURN`,
    ...excludeOutboundCidrs.filter(has).map((cidr) => `-A LEGATION_OUT -d ${cidr} -j RETURN`),
    ...portMatches(excludeOutboundPorts.map(String)).map((match) => `-A LEGATION_OUT ${match} -j RETURN`),
    '-A LEGATION_OUT -j LEGATION_OUT_REDIRECT',
    `-A LEGATION_OUT_REDIRECT -p tcp -j REDIRECT --to-ports ${String(ports.outbound)}`,
  ];
}

/** Declared, chains of ours are emptied first: rules that were there, of an earlier start of the pod, are replaced. */
const chains = ['LEGATION_IN', 'LEGATION_IN_REDIRECT', 'LEGATION_OUT', 'LEGATION_OUT_REDIRECT'];

const rulesOf = (options: RedirectOptions, family: Family): string =>
  [
    '*nat',
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...inbound(options),
    ...outbound(options, family),
    'COMMIT',
    '',
  ].join('\n');

/** The rules of both families; a pod without IPv6 has no use for the second text. */
export const redirectRules = (options: RedirectOptions): RedirectRules => ({
  ipv4: rulesOf(options, families.ipv4),
  ipv6: rulesOf(options, families.ipv6),
});
