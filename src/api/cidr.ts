// IP prefixes. Knows no schema.

import { isIP } from 'node:net';

function ipv4Bits(address: string): bigint {
  return address.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

function ipv6Bits(address: string): bigint {
  const [head = '', tail] = address.split('::');
  const words = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const left = words(head);
  const right = words(tail ?? '');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const all = [...left, ...Array.from({ length: zeros }, () => '0'), ...right];
  return all.reduce((bits, word) => (bits << 16n) | BigInt(`0x${word}`), 0n);
}

const bitsOf = (address: string, family: number): bigint => (family === 4 ? ipv4Bits(address) : ipv6Bits(address));

/** Whether an address lies in a prefix; both are valid. Families do not mix. */
export function isInCidr(address: string, cidr: string): boolean {
  const [base = '', length = ''] = cidr.split('/');
  const family = isIP(base);
  if (isIP(address) !== family) return false;
  const hostBits = BigInt((family === 4 ? 32 : 128) - Number(length));
  return bitsOf(address, family) >> hostBits === bitsOf(base, family) >> hostBits;
}

/** Whether the text is an IPv4 or IPv6 prefix whose host bits are zero. IPv4 in IPv6 is not accepted. */
export function isMaskedCidr(text: string): boolean {
  const match = /^([0-9A-Fa-f.:]+)\/(0|[1-9][0-9]{0,2})$/.exec(text);
  const address = match?.[1] ?? '';
  const length = Number(match?.[2]);
  const family = isIP(address);
  if (family === 0 || (family === 6 && address.includes('.'))) return false;
  const width = family === 4 ? 32 : 128;
  if (length > width) return false;
  const hostBits = BigInt(width - length);
  return (bitsOf(address, family) & ((1n << hostBits) - 1n)) === 0n;
}
