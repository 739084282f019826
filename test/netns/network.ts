// A network in namespaces: one for the node, one for each pod, none of them the machine's own. Every pod has a pair of
// interfaces to the node, which routes between them and plays kube-proxy: addresses of Services are NAT there. Names
// begin with the id of this process, and what was made is removed by name, also when the process ends by a failure.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { deliverySource, type RedirectRules } from '../../src/webhook/redirect-rules.js';

/** A pod, or a host that belongs to no mesh. */
export interface Place {
  /** Unique in the network; part of the namespace's name. */
  readonly name: string;
  /** Without one of IPv6 the pod has no IPv6 at all: so do container runtimes in clusters without it. */
  readonly addresses: readonly string[];
}

/** Namespaces that are connected. */
export interface Network {
  add(place: Place): void;
  /** The namespace of a pod, for `ip netns exec`. */
  namespaceOf(name: string): string;
  /** Applies rules in a pod's namespace, as its init container would. */
  redirect(name: string, rules: RedirectRules): void;
  /** Adds NAT rules to the node. */
  serve(rules: RedirectRules): void;
  /** Leads an address to a pod that does not have it. */
  misdirect(address: string, name: string): void;
  close(): void;
}

const run = (command: string, args: readonly string[], input = ''): string =>
  execFileSync(command, [...args], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

const inside = (namespace: string, command: readonly string[], input = ''): string =>
  run('ip', ['netns', 'exec', namespace, ...command], input);

const existing = new Set<string>();

function addNamespace(name: string): void {
  run('ip', ['netns', 'add', name]);
  existing.add(name);
  run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
}

function removeNamespace(name: string): void {
  run('ip', ['netns', 'delete', name]);
  existing.delete(name);
}

process.once('exit', () => {
  for (const name of existing) removeNamespace(name);
});
// Without these a signal ends the process at once, and nothing is removed.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** Whether the kernel has IPv6 at all. */
export const hasIpv6 = existsSync('/proc/net/if_inet6');

const familyOf = (address: string): '-4' | '-6' => (address.includes(':') ? '-6' : '-4');
const wholeOf = (address: string): string => `${address}/${address.includes(':') ? '128' : '32'}`;

/** Commands of `ip`, a line each, in one go. */
const batch = (namespace: string, family: string, lines: readonly string[]): string =>
  run('ip', ['-n', namespace, family, '-batch', '-'], `${lines.join('\n')}\n`);

const set = (namespace: string, settings: Readonly<Record<string, string>>): void => {
  const lines = Object.entries(settings).map(([path, value]) => `echo ${value} > /proc/sys/net/${path}`);
  inside(namespace, ['sh', '-ec', lines.join('\n')]);
};

/** What the node is called by pods: their next hop. */
const gateway = { '-4': '10.77.0.1', '-6': 'fe80::1' } as const;

const restore = (namespace: string, rules: RedirectRules): void => {
  inside(namespace, ['iptables-nft-restore', '--noflush'], rules.ipv4);
  if (hasIpv6) inside(namespace, ['ip6tables-nft-restore', '--noflush'], rules.ipv6);
};

/** Whoever runs a pod's application may be anybody, and its ports any. */
const anyPort = { 'ipv4/ip_unprivileged_port_start': '0' };

/** Duplicate address detection takes a second, in which nothing can be bound. */
const withoutWaiting = { 'ipv6/conf/all/accept_dad': '0', 'ipv6/conf/default/accept_dad': '0' };

function addNode(name: string): void {
  addNamespace(name);
  batch(name, '-4', [`addr add ${gateway['-4']}/32 dev lo`]);
  set(name, { 'ipv4/ip_forward': '1', ...(hasIpv6 ? { 'ipv6/conf/all/forwarding': '1', ...withoutWaiting } : {}) });
}

/** An interface `eth0` for the pod, of which the other end is on the node. */
function connect(node: string, namespace: string, device: string): void {
  run('ip', ['-n', node, 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
  batch(node, '-4', [`link set ${device} up`]);
  batch(namespace, '-4', ['link set eth0 up', `route add ${gateway['-4']} dev eth0`]);
  batch(namespace, '-4', [`route add default via ${gateway['-4']}`]);
  if (!hasIpv6) return;
  batch(node, '-6', [`addr add ${gateway['-6']}/64 dev ${device} nodad`]);
}

/** Routed and not bridged: also what goes from pod to pod passes the node, else its NAT would see half of it. */
function address(places: { readonly node: string; readonly namespace: string; readonly device: string }, one: string) {
  const family = familyOf(one);
  const noWait = family === '-6' ? ' nodad' : '';
  batch(places.namespace, family, [`addr add ${wholeOf(one)} dev eth0${noWait}`]);
  batch(places.node, family, [`route add ${wholeOf(one)} dev ${places.device}`]);
}

interface Connected {
  readonly namespace: string;
  /** The node's end of its wire. */
  readonly device: string;
  readonly addresses: readonly string[];
}

/** A node without pods. */
export function createNetwork(label: string): Network {
  const prefix = `legation-${String(process.pid)}-${label}`;
  const node = `${prefix}-node`;
  const pods = new Map<string, Connected>();
  addNode(node);

  const podOf = (name: string): Connected => {
    const found = pods.get(name);
    if (found === undefined) throw new Error(`no pod '${name}' in the network`);
    return found;
  };

  const add = (place: Place): void => {
    const [namespace, device] = [`${prefix}-${place.name}`, `pod${String(pods.size)}`];
    const withIpv6 = hasIpv6 && place.addresses.some((one) => familyOf(one) === '-6');
    addNamespace(namespace);
    pods.set(place.name, { namespace, device, addresses: place.addresses });
    set(namespace, anyPort);
    if (hasIpv6) set(namespace, withIpv6 ? withoutWaiting : { 'ipv6/conf/all/disable_ipv6': '1' });
    connect(node, namespace, device);
    for (const one of place.addresses) {
      if (withIpv6 || familyOf(one) === '-4') address({ node, namespace, device }, one);
    }
    if (!withIpv6) return;
    batch(namespace, '-6', [`route add default via ${gateway['-6']} dev eth0`]);
    batch(namespace, '-6', [`addr add ${wholeOf(deliverySource.ipv6)} dev lo`]);
  };

  return {
    add,
    namespaceOf: (name) => podOf(name).namespace,
    redirect: (name, rules) => {
      restore(podOf(name).namespace, rules);
    },
    serve: (rules) => {
      restore(node, rules);
    },
    misdirect: (one, name) => {
      const { device, addresses } = podOf(name);
      const hop = addresses.find((address) => familyOf(address) === familyOf(one));
      if (hop === undefined) throw new Error(`'${name}' has no address like ${one}`);
      batch(node, familyOf(one), [`route add ${wholeOf(one)} via ${hop} dev ${device} onlink`]);
    },
    close: () => {
      for (const { namespace } of pods.values()) removeNamespace(namespace);
      removeNamespace(node);
      pods.clear();
    },
  };
}

/** Why there can be no network of namespaces on this machine; undefined if there can. Installs the tools if need be. */
export function obstacleToNamespaces(): string | undefined {
  try {
    run('scripts/install-netns-tools.sh', []);
    const trial = createNetwork('trial');
    trial.close();
    return undefined;
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    return said.trim().split('\n').at(-1);
  }
}
