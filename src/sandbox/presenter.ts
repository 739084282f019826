// Shows a running sandbox again and again: a picture each second on a terminal, a line now and then elsewhere. Also
// thinks of commands to try.

import { keyOf } from '../api/meta.js';
import type { Service, World } from '../kinds/world.js';
import type { Clock } from '../lib/clock.js';
import type { Journal } from './journal.js';
import type { Monitor } from './monitor.js';
import { type Parts, sandboxHost } from './parts.js';
import type { SandboxPod } from './pods.js';
import type { Output, Screen } from './screen.js';
import type { Traffic } from './traffic.js';
import { type ViewState, renderLine, renderView } from './view.js';
import { podsOf } from './pods.js';

/** What is shown. */
export interface Shown {
  readonly parts: Parts;
  readonly monitor: Monitor;
  readonly traffic: Traffic | undefined;
  readonly screen: Screen;
  readonly journal: Journal;
  readonly folder: { readonly world: () => World };
  readonly adminPort: number;
}

const pictureMs = 1000;
const lineMs = 5000;

/** Shows until the signal aborts. */
export async function showSandbox(
  shown: Shown,
  how: { readonly folder: string; readonly output: Output; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const { output, clock, signal } = how;
  while (!signal.aborted) {
    await shown.monitor.lookClosely();
    const state = stateOf(shown, how.folder);
    if (output.isTerminal) shown.screen.draw(renderView(state, { ...output.size(), colour: true }));
    else if (shown.monitor.isSettled()) shown.screen.print(renderLine(state));
    const isQuiet = !output.isTerminal && shown.monitor.isSettled();
    await clock.sleep(isQuiet ? lineMs : pictureMs, signal);
  }
}

function stateOf(shown: Shown, folder: string): ViewState {
  const seen = shown.monitor.latest();
  const world = shown.folder.world();
  const { pods } = podsOf(world);
  return {
    folder,
    pods: { total: pods.length, ready: seen.readyPods },
    controlPlane: { serving: seen.serving, restarts: shown.parts.controlPlaneRestarts() },
    traffic: shown.traffic?.count(),
    objects: seen.objects,
    targets: seen.targets,
    counted: seen.counted,
    recent: seen.recent,
    events: shown.journal.events(),
    commands: commandsToTry(world, pods, shown.adminPort),
  };
}

/** Commands that show something, for this folder. */
export function commandsToTry(world: World, pods: readonly SandboxPod[], adminPort: number): readonly string[] {
  const caller = pods.find((pod) => pod.entries.length > 0) ?? pods[0];
  const lines = [`curl http://${sandboxHost}:${adminPort}/status`];
  if (caller === undefined) return lines;
  const callee = interestingService(world, caller);
  if (callee === undefined) return lines;
  const port = callee.ports[0]?.port ?? 80;
  const name =
    callee.meta.namespace === caller.application.namespace
      ? callee.meta.name
      : `${callee.meta.name}.${callee.meta.namespace}`;
  const authority = port === 80 ? name : `${name}:${port}`;
  return [`curl -x http://${caller.application.proxy} http://${authority}/   # as ${caller.key}`, ...lines];
}

/** A Service with a route, if there is one, and not the caller's own. */
function interestingService(world: World, caller: SandboxPod): Service | undefined {
  const routed = new Set(
    [...world.trafficRoutes.values()].flatMap((route) =>
      route.spec.parentRefs
        .filter((parent) => parent.kind === 'Service')
        .map((parent) => keyOf({ namespace: parent.namespace ?? route.meta.namespace, name: parent.name })),
    ),
  );
  const services = [...world.services.values()].filter((service) => service.ports.length > 0);
  const isCallers = (service: Service): boolean =>
    Object.entries(service.selector ?? {}).every(([key, value]) => caller.application.labels[key] === value);
  const others = services.filter((service) => !isCallers(service));
  return others.find((service) => routed.has(keyOf(service.meta))) ?? others[0] ?? services[0];
}
