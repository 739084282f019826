// A DNS server for names that end in one of a few ways: all of them are at the addresses of its pod.

import { createSocket } from 'node:dgram';
import type { PodOrder } from './orders.js';

const types = { ipv4: 1, ipv6: 28 } as const;

/** The name that is asked for, and where the question ends. */
function nameIn(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  while (query[at] !== undefined && query[at] !== 0) {
    const length = query[at] ?? 0;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function bytesOf(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): readonly string[] => (text === '' ? [] : text.split(':'));
  const [left, right] = [groups(head), groups(tail)];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return Buffer.from([...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** An answer of one record points back to the name in the question. */
function recordOf(type: number, address: string): Buffer {
  const data = bytesOf(address);
  const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length]);
  return Buffer.concat([head, data]);
}

function answerTo(query: Buffer, { names, addresses }: Pick<PodOrder, 'names' | 'addresses'>): Buffer {
  const { name, end } = nameIn(query);
  const type = query.readUInt16BE(end);
  const isKnown = names.some((one) => name.endsWith(one));
  const wanted = addresses.filter((one) => type === (one.includes(':') ? types.ipv6 : types.ipv4));
  const records = isKnown ? wanted.map((address) => recordOf(type, address)) : [];
  const head = Buffer.from(query.subarray(0, 12));
  // An answer, by who knows; NXDOMAIN where the name is not known.
  head.writeUInt16BE(isKnown ? 0x8580 : 0x8583, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  return Buffer.concat([head, query.subarray(12, end + 4), ...records]);
}

/** Answers on port 53 of all addresses of a pod. */
export const nameServer = (order: Pick<PodOrder, 'names' | 'addresses'>): readonly Promise<void>[] =>
  order.addresses.map(
    (address) =>
      new Promise((resolve, reject) => {
        const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
        socket.once('error', reject);
        socket.on('message', (query, { port, address: asking }) => {
          socket.send(answerTo(query, order), port, asking);
        });
        socket.bind(53, address, resolve);
      }),
  );
