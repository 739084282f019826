// `legation bootstrap`: the file that an Envoy of your own is started with, so that Legation configures it.

import { isIP } from 'node:net';
import { Option } from 'commander';
import type { BootstrapOptions } from '../xds/bootstrap.js';
import { type ExitCode, type Invocation, UsageError, defineCommand } from './command.js';
import { renderJson } from './output.js';

interface BootstrapFlags {
  readonly proxy: string;
  readonly xds: string;
  readonly address?: string;
  readonly workload?: string;
  readonly capture: 'explicit' | 'redirect';
  readonly adminSocket?: string;
  readonly envoyVersion?: string;
  readonly eventLog?: string;
  readonly loopbackPods?: true;
  readonly output: 'yaml' | 'json';
}

type Identity = Pick<BootstrapOptions, 'nodeId' | 'cluster' | 'bindAddress' | 'metricsTo'>;

/** Longer paths do not fit into the kernel's socket address. */
const maxSocketPath = 107;
const oldestEnvoy = '1.36.0';
const anyAddress = '0.0.0.0';
/** Who asks how a pod is uses the first of its addresses. */
const anyAddressLike = (address: string | undefined): string => (address?.includes(':') === true ? '::' : anyAddress);

function podOf(name: string): { readonly namespace: string; readonly name: string } {
  const [, namespace, pod] = /^([a-z0-9][-a-z0-9]*)\/([a-z0-9][-a-z0-9.]*)$/.exec(name) ?? [];
  if (namespace === undefined || pod === undefined) throw new UsageError(`--proxy takes NS/NAME; found '${name}'`);
  return { namespace, name: pod };
}

function addressOf(flag: string): string {
  if (isIP(flag) === 0) throw new UsageError(`--address takes an IP address; found '${flag}'`);
  return flag;
}

/** What is known without a mesh: only what the flags say. */
function identityFromFlags({ proxy, address, workload, capture }: BootstrapFlags): Identity {
  const pod = podOf(proxy);
  const bindAddress = address === undefined ? undefined : addressOf(address);
  if (bindAddress === undefined && capture === 'explicit') {
    throw new UsageError('without PATH, --address must say where this Envoy listens: the address of its pod');
  }
  if (workload !== undefined && !/^[A-Za-z]+\/[a-z0-9][-a-z0-9.]*$/.test(workload)) {
    throw new UsageError(`--workload takes KIND/NAME, such as Deployment/web; found '${workload}'`);
  }
  return {
    nodeId: `${pod.name}.${pod.namespace}`,
    cluster: `${workload ?? `Pod/${pod.name}`}.${pod.namespace}`,
    bindAddress: bindAddress ?? anyAddress,
  };
}

async function identityFromMesh({
  args,
  options,
  cli,
  say,
}: Invocation<BootstrapFlags>): Promise<Identity | undefined> {
  const { readMesh } = await import('./mesh.js');
  const { findProxy, proxiesOf, unknownProxy } = await import('./proxies.js');
  const { remarkLine } = await import('./remarks.js');
  const { capture, loopbackPods: loopback = false } = options;
  const { metricsProviderIn } = await import('../reconcilers/metrics-provider.js');
  const { configOf } = await import('../xds/providers.js');
  const { world, reconciled, remarks } = await readMesh({ paths: args, capture, loopback }, cli);
  for (const remark of remarks) say(remarkLine(remark));
  const proxies = proxiesOf(reconciled.model);
  const proxy = findProxy(proxies, options.proxy);
  if (proxy === undefined) {
    for (const line of unknownProxy(proxies, options.proxy)) say(line);
    return undefined;
  }
  const [first] = proxy.addresses;
  const own = capture === 'explicit' ? (first ?? anyAddress) : anyAddressLike(first);
  const bindAddress = options.address === undefined ? own : addressOf(options.address);
  const provider = metricsProviderIn(world);
  const push = provider === undefined ? {} : { metricsTo: configOf(provider) };
  return { nodeId: `${proxy.name}.${proxy.namespace}`, cluster: proxy.workload, bindAddress, ...push };
}

function socketOf(flag: string | undefined, identity: Identity, temporary: string): string {
  const path = flag ?? `${temporary}/envoy-${identity.nodeId}.sock`;
  if (Buffer.byteLength(path) <= maxSocketPath) return path;
  throw new UsageError(
    `the admin socket '${path}' is longer than ${maxSocketPath} bytes; name a shorter one with --admin-socket`,
  );
}

function versionOf(flag: string | undefined): string {
  if (flag === undefined) return oldestEnvoy;
  const [, minor] = /^1\.(\d+)(?:\.\d+)?$/.exec(flag) ?? [];
  if (minor !== undefined && Number(minor) >= 36) return flag;
  throw new UsageError(`--envoy-version takes 1.36.0 or later; found '${flag}'`);
}

async function peerOf(flag: string): Promise<BootstrapOptions['xds']> {
  const { parseAddress } = await import('../runtime/config.js');
  const address = parseAddress(flag);
  if (address === undefined || address.port === 0) throw new UsageError(`--xds takes HOST:PORT; found '${flag}'`);
  return { transport: 'insecure', address: address.host, port: address.port };
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\./.test(host);

function advice(flags: BootstrapFlags, peer: BootstrapOptions['xds'], identity: Identity): readonly string[] {
  const file = `envoy.${flags.output}`;
  const loopback = flags.loopbackPods === true ? ' --loopback-pods' : '';
  const remote = isLoopback(peer.address)
    ? []
    : [
        `warning: '${peer.address}' is not loopback; xDS is plain text for now, and 'legation run' serves that on loopback only`,
      ];
  const restricted =
    flags.envoyVersion === undefined
      ? [
          'Works with Envoy 1.36 and later; with --envoy-version 1.37.0 or later its admin interface is restricted, too.',
        ]
      : [];
  return [
    ...remote,
    `Bootstrap of ${identity.nodeId} (${identity.cluster}), bound to ${identity.bindAddress}. Save it as ${file}, then:`,
    `  envoy --config-path ${file} --disable-hot-restart`,
    `Legation must be running, with this pod in its mesh: legation run PATH --xds-insecure --xds-listen ${flags.xds}${loopback}`,
    ...restricted,
  ];
}

async function bootstrap(invocation: Invocation<BootstrapFlags>): Promise<ExitCode> {
  const { args, options, cli, say } = invocation;
  const peer = await peerOf(options.xds);
  const envoyVersion = versionOf(options.envoyVersion);
  const identity = args.length === 0 ? identityFromFlags(options) : await identityFromMesh(invocation);
  if (identity === undefined) return 1;
  const { bootstrapToJson, buildBootstrap } = await import('../xds/bootstrap.js');
  const { canonicalYaml } = await import('./canonical-yaml.js');
  const adminSocket = socketOf(options.adminSocket, identity, cli.temporary);
  const { capture, eventLog } = options;
  const events = eventLog === undefined ? {} : { eventLog };
  const message = buildBootstrap({ ...identity, ...events, xds: peer, capture, adminSocket });
  const json = bootstrapToJson(message, envoyVersion);
  for (const line of advice(options, peer, identity)) say(line);
  cli.stdout.write(options.output === 'json' ? renderJson(json) : canonicalYaml(json));
  return 0;
}

/** `legation bootstrap`. */
export const bootstrapCommand = defineCommand<BootstrapFlags>({
  name: 'bootstrap',
  summary: 'print a bootstrap for an Envoy that you run yourself',
  description: [
    'Prints everything that a stock Envoy needs to be configured by Legation: who it is, where the control plane is, readiness and metrics.',
    'With PATH, the proxy is looked up in the mesh, and pushes its metrics where the mesh default says. Without, --address says where it listens, and --workload what its pod belongs to.',
  ],
  arguments: [{ name: '[PATH...]', doc: 'files, folders, or - for standard input' }],
  options: [
    new Option(
      '--proxy <NS/NAME>',
      'a pod, or with PATH also a workload, which means its first pod',
    ).makeOptionMandatory(),
    new Option('--xds <HOST:PORT>', 'the control plane').default('127.0.0.1:18000'),
    new Option('--address <IP>', 'where this Envoy listens; with PATH that is the address of the pod'),
    new Option('--workload <KIND/NAME>', 'without PATH: what the pod belongs to, such as Deployment/web'),
    new Option('--capture <MODE>', 'how requests reach the proxy')
      .choices(['explicit', 'redirect'])
      .default('explicit'),
    new Option('--loopback-pods', 'replace pod addresses that are not on loopback: as the control plane was told to'),
    new Option('--admin-socket <FILE>', 'unix socket of Envoy’s own admin interface'),
    new Option('--event-log <FILE>', 'where events of outlier detection go; /dev/stdout, if this user may open it'),
    new Option('--envoy-version <X.Y.Z>', 'the Envoy that reads the file; older ones refuse what they do not know'),
    new Option('-o, --output <FORMAT>', 'how to print').choices(['yaml', 'json']).default('yaml'),
  ],
  examples: [
    {
      line: 'legation bootstrap examples/bookstore --proxy bookstore/frontend > envoy.yaml',
      does: 'an Envoy for a pod of the bookstore; then: envoy --config-path envoy.yaml',
    },
    {
      line: 'legation bootstrap --proxy shop/edge-0 --address 127.0.0.7 --workload Deployment/edge -o json',
      does: 'without looking at the mesh',
    },
  ],
  exitCodes: '0 printed, 1 no such proxy, 2 wrong usage',
  run: bootstrap,
});
