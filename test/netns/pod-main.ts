// The program inside a pod's namespace: its application, the way to the control plane, and calls that the test orders
// over the channel to its parent. It ends when the parent does.

import { nameServer } from './name-server.js';
import { applications, arrivals, forward } from './pod-servers.js';
import { call } from './pod-calls.js';
import type { Asked, PodOrder } from './orders.js';

const order = JSON.parse(process.argv[2] ?? '') as PodOrder;
// Files of the checkout may be readable by root alone: everything is loaded by now.
process.setgroups?.([]);
process.setgid?.(order.uid);
process.setuid?.(order.uid);

process.once('disconnect', () => process.exit(0));
process.on('message', ({ id, asked }: { readonly id: number; readonly asked: Asked }) => {
  if (asked === 'arrivals') process.send?.({ id, arrivals: [...arrivals] });
  else void call(asked).then((answer) => process.send?.({ id, answer }));
});
await Promise.all([
  ...applications(order),
  ...(order.names.length === 0 ? [] : nameServer(order)),
  ...(order.forward === undefined ? [] : [forward(order.forward)]),
]);
process.send?.({ id: 0 });
