// What a route cannot do where connections are redirected: they come with an address, and not all of them with more.

import { describeRef, keyOf } from '../api/meta.js';
import { carriesRequests, isHeadless } from '../model/dialled.js';
import { more, type Judgement } from './judgement.js';
import type { RouteContext } from './parent-findings.js';
import { namesPort } from './services.js';
import type { CompiledRoute } from './traffic-route.js';

/** Applications resolve an ExternalName by themselves: their connections meet no route where they are redirected. */
function externalFindings(route: CompiledRoute, { world }: RouteContext): readonly Judgement[] {
  const parent = route.parents.find(({ ref }) => world.services.get(keyOf(ref))?.type === 'ExternalName');
  if (parent === undefined) return [];
  const message = `${describeRef(parent.ref)} is of type ExternalName: redirected connections to it meet no route`;
  return [{ condition: 'Degraded', status: 'True', reason: 'UnsupportedValue', message }];
}

/** Who calls a headless Service dials a pod: requests follow rules, connections go where they were going. */
function headlessFindings(route: CompiledRoute, { pooled }: RouteContext): readonly Judgement[] {
  const opaque = route.parents.flatMap((parent) => {
    const model = pooled.get(keyOf(parent.ref))?.model;
    if (model === undefined || !isHeadless(model)) return [];
    const ports = model.ports.filter((port) => namesPort(parent, port) && !carriesRequests(port));
    return ports.map(({ port, protocol }) => ({ ref: parent.ref, port, protocol }));
  });
  const [first] = opaque;
  if (first === undefined) return [];
  const { ref, port, protocol } = first;
  const why = protocol === 'auto' ? ', of which nothing names the protocol,' : '';
  const message = `Redirected connections to pods of headless ${describeRef(ref)} on port ${String(port)}${why} meet no rule${more(opaque.length)}`;
  return [{ condition: 'Degraded', status: 'True', reason: 'UnsupportedValue', message }];
}

/** Said where connections are redirected. */
export const redirectFindings = (route: CompiledRoute, context: RouteContext): readonly Judgement[] =>
  context.capture === 'explicit' ? [] : [...externalFindings(route, context), ...headlessFindings(route, context)];
