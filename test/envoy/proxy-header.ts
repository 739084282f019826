// The PROXY header that a proxy may write ahead of everything else on a connection, in both of its forms.

/** What such a header says, and what follows it. */
export interface ProxyHeader {
  /** `address:port`, IPv4. */
  readonly caller: string;
  readonly rest: Buffer;
}

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** A line of text: `PROXY TCP4 source destination port port`. */
function textual(bytes: Buffer): ProxyHeader {
  const end = bytes.indexOf('\r\n');
  const [, , address = '', , port = ''] = bytes.subarray(0, end).toString('latin1').split(' ');
  return { caller: `${address}:${port}`, rest: bytes.subarray(end + 2) };
}

/** Signature, version, family, length; then two addresses of four bytes and two ports. */
function binary(bytes: Buffer): ProxyHeader {
  const from = bytes.subarray(16, 20).join('.');
  return { caller: `${from}:${String(bytes.readUInt16BE(24))}`, rest: bytes.subarray(16 + bytes.readUInt16BE(14)) };
}

/** The header that these bytes begin with, if they do; it has to be there as a whole. */
export function proxyHeaderOf(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.subarray(0, 6).toString('latin1') === 'PROXY ') return textual(bytes);
  return bytes.subarray(0, signature.length).equals(signature) ? binary(bytes) : undefined;
}
