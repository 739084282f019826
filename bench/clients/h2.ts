// One HTTP/2 connection with one gRPC stream, framed by hand on a TCP socket: a client must cost less than any server.
//
// All sockets read into one shared buffer and the messages in it are handled before the next read. What Envoy does by
// default is kept: 256 MiB of receive window, ACKs of SETTINGS and PING; requests obey the window of the server.
import net from 'node:net';

/** What the owner of a connection hears; `bytes[start, end)` is valid only during the call. */
export interface ConnectionHandlers {
  readonly onMessage: (bytes: Buffer, start: number, end: number) => void;
  /** All messages of one read have been handled. */
  readonly onReadEnd: () => void;
  readonly onClose: (reason: string) => void;
}

/** Where and how to connect. */
export interface ConnectionTarget {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A connection with its single stream. */
export interface Connection {
  /** Queues one gRPC message; it leaves with `flush`. */
  readonly send: (message: Buffer) => void;
  readonly flush: () => void;
  readonly destroy: () => void;
  readonly bytesRead: () => number;
}

const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const RECEIVE_WINDOW = 256 * 1024 * 1024;
const DEFAULT_WINDOW = 65_535;
const MAX_FRAME = 16_384;
const shared = Buffer.allocUnsafeSlow(1024 * 1024);

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

/** A frame that is not DATA, as received. */
interface ControlFrame extends Frame {
  readonly payload: Buffer;
}

const frame = ({ type, flags, stream, payload }: Frame): Buffer => {
  const out = Buffer.allocUnsafe(9 + payload.length);
  out.writeUIntBE(payload.length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(stream, 5);
  out.set(payload, 9);
  return out;
};

const uint32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
};

/** An HPACK string without Huffman coding. */
const hpackString = (text: string): Buffer => {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const rest = bytes.length - 127;
  const length = rest < 128 ? [127, rest] : [127, (rest & 127) | 128, rest >> 7];
  return Buffer.concat([Buffer.from(length), bytes]);
};

const headerBlock = (target: ConnectionTarget): Buffer =>
  Buffer.concat([
    Buffer.of(0x83, 0x86), // :method POST, :scheme http
    Buffer.concat([Buffer.of(0x04), hpackString(target.path)]),
    Buffer.concat([Buffer.of(0x01), hpackString(`127.0.0.1:${String(target.port)}`)]),
    Buffer.concat([Buffer.of(0x0f, 0x10), hpackString('application/grpc')]),
    ...Object.entries({ te: 'trailers', ...target.headers }).map(([name, value]) =>
      Buffer.concat([Buffer.of(0x00), hpackString(name), hpackString(value)]),
    ),
  ]);

/** Big buffers for messages in the making, by power of two: fresh memory for each would cost page faults. */
const spare = new Map<number, Buffer[]>();
const SMALL = 4096;

const takeBuffer = (size: number): Buffer => {
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(size, 64)));
  return spare.get(capacity)?.pop() ?? Buffer.allocUnsafeSlow(capacity);
};

const giveBuffer = (buffer: Buffer): void => {
  const list = spare.get(buffer.length) ?? [];
  list.push(buffer);
  spare.set(buffer.length, list);
};

/** Cuts gRPC messages out of DATA payloads; copies only those that span reads or frames. */
const createMessageReader = (onMessage: ConnectionHandlers['onMessage']) => {
  let partial: Buffer = Buffer.alloc(0);
  let filled = 0;
  const sizeOf = (bytes: Buffer, at: number): number => 5 + bytes.readUInt32BE(at + 1);
  const reserve = (size: number): void => {
    if (partial.length >= size) return;
    const grown = takeBuffer(size);
    partial.copy(grown, 0, 0, filled);
    if (partial.length > SMALL) giveBuffer(partial);
    partial = grown;
  };
  const append = (bytes: Buffer, start: number, end: number): number => {
    const wanted = filled < 5 ? 5 : sizeOf(partial, 0);
    const taken = Math.min(wanted - filled, end - start);
    reserve(wanted);
    bytes.copy(partial, filled, start, start + taken);
    filled += taken;
    if (filled >= 5 && filled === sizeOf(partial, 0)) {
      const message = partial;
      const length = filled;
      filled = 0;
      if (message.length > SMALL) partial = Buffer.alloc(0);
      onMessage(message, 5, length);
      if (message.length > SMALL) giveBuffer(message);
    }
    return start + taken;
  };
  return (bytes: Buffer, start: number, end: number): void => {
    let position = start;
    while (position < end) {
      const whole = filled === 0 && end - position >= 5 ? sizeOf(bytes, position) : Infinity;
      if (position + whole <= end) {
        onMessage(bytes, position + 5, position + whole);
        position += whole;
      } else {
        position = append(bytes, position, end);
      }
    }
  };
};

/** What may be sent, by the windows of the server; DATA waits here until they allow it. */
const createSender = (socket: net.Socket) => {
  let out: Buffer[] = [];
  let waiting: Buffer[] = [];
  const windows = { connection: DEFAULT_WINDOW, stream: DEFAULT_WINDOW, initial: DEFAULT_WINDOW };
  const release = (): void => {
    while (waiting.length > 0) {
      const head = waiting[0] ?? PREFACE;
      const allowed = Math.min(head.length, MAX_FRAME, windows.connection, windows.stream);
      if (allowed <= 0) return;
      out.push(frame({ type: FRAME.data, flags: 0, stream: 1, payload: head.subarray(0, allowed) }));
      windows.connection -= allowed;
      windows.stream -= allowed;
      if (allowed === head.length) waiting.shift();
      else waiting[0] = head.subarray(allowed);
    }
  };
  return {
    raw: (bytes: Buffer): void => {
      out.push(bytes);
    },
    data: (message: Buffer): void => {
      waiting.push(Buffer.concat([Buffer.of(0), uint32(message.length), message]));
    },
    widen: (stream: number, by: number): void => {
      if (stream === 0) windows.connection += by;
      else windows.stream += by;
    },
    setInitial: (size: number): void => {
      windows.stream += size - windows.initial;
      windows.initial = size;
    },
    flush: (): void => {
      release();
      if (out.length === 0 || socket.destroyed) return;
      socket.write(out.length === 1 ? (out[0] ?? PREFACE) : Buffer.concat(out));
      out = [];
    },
    clear: (): void => {
      out = [];
      waiting = [];
    },
  };
};

type Sender = ReturnType<typeof createSender>;

const applySettings = (payload: Buffer, sender: Sender): void => {
  for (let at = 0; at + 6 <= payload.length; at += 6) {
    if (payload.readUInt16BE(at) === 4) sender.setInitial(payload.readUInt32BE(at + 2));
  }
  sender.raw(frame({ type: FRAME.settings, flags: 1, stream: 0, payload: Buffer.alloc(0) }));
};

/** Handles a frame that is not DATA; returns the reason when it ends the stream. */
const handleControl = ({ type, flags, stream, payload }: ControlFrame, sender: Sender): string | undefined => {
  switch (type) {
    case FRAME.settings:
      if ((flags & 1) === 0) applySettings(payload, sender);
      return undefined;
    case FRAME.ping:
      if ((flags & 1) === 0) sender.raw(frame({ type: FRAME.ping, flags: 1, stream: 0, payload }));
      return undefined;
    case FRAME.windowUpdate:
      sender.widen(stream, payload.readUInt32BE(0) & 0x7fffffff);
      return undefined;
    case FRAME.headers:
      return (flags & 1) === 1
        ? `stream ended by trailers: ${payload.toString('latin1').replace(/[^ -~]+/g, '.')}`
        : undefined;
    case FRAME.reset:
      return `stream reset with code ${String(payload.readUInt32BE(0))}`;
    case FRAME.goAway:
      return `GOAWAY: ${payload.subarray(8).toString('latin1')}`;
    default:
      return undefined;
  }
};

interface FrameSink {
  readonly onData: (bytes: Buffer, start: number, end: number) => void;
  readonly onControl: (frame: ControlFrame) => void;
}

/** Splits a byte stream into frames; DATA is handed on piecewise, other frames whole. */
const createFrameReader = (sink: FrameSink) => {
  const header = Buffer.alloc(9);
  let headerFilled = 0;
  let remaining = 0;
  let pieces: Buffer[] = [];
  const endFrame = (): void => {
    headerFilled = 0;
    if (header[3] === FRAME.data) return;
    const stream = header.readUInt32BE(5) & 0x7fffffff;
    sink.onControl({ type: header[3] ?? 0, flags: header[4] ?? 0, stream, payload: Buffer.concat(pieces) });
    pieces = [];
  };
  const readHeader = (bytes: Buffer, start: number, end: number): number => {
    const taken = Math.min(9 - headerFilled, end - start);
    bytes.copy(header, headerFilled, start, start + taken);
    headerFilled += taken;
    if (headerFilled === 9) {
      remaining = header.readUIntBE(0, 3);
      if (remaining === 0) endFrame();
    }
    return start + taken;
  };
  return (bytes: Buffer, length: number): void => {
    let position = 0;
    while (position < length) {
      if (headerFilled < 9) {
        position = readHeader(bytes, position, length);
        continue;
      }
      const taken = Math.min(remaining, length - position);
      if (header[3] === FRAME.data) sink.onData(bytes, position, position + taken);
      else pieces.push(Buffer.from(bytes.subarray(position, position + taken)));
      remaining -= taken;
      position += taken;
      if (remaining === 0) endFrame();
    }
  };
};

/** Grants the server new window once half of it is used. */
const createWindowKeeper = (sender: Sender) => {
  let consumed = 0;
  return (bytes: number): void => {
    consumed += bytes;
    if (consumed < RECEIVE_WINDOW / 2) return;
    for (const stream of [0, 1])
      sender.raw(frame({ type: FRAME.windowUpdate, flags: 0, stream, payload: uint32(consumed) }));
    consumed = 0;
  };
};

/** Connects at once; the request headers leave with the preface. */
export const connect = (target: ConnectionTarget, handlers: ConnectionHandlers): Connection => {
  let total = 0;
  let closed = false;
  const close = (reason: string): void => {
    if (closed) return;
    closed = true;
    socket.destroy();
    sender.clear();
    handlers.onClose(reason);
  };
  const readMessages = createMessageReader(handlers.onMessage);
  const onread = {
    buffer: shared,
    callback: (size: number): boolean => {
      total += size;
      if (!closed) readFrames(shared, size);
      if (!closed) handlers.onReadEnd();
      sender.flush();
      return true;
    },
  };
  const socket = net.connect({ host: '127.0.0.1', port: target.port, noDelay: true, onread });
  const sender = createSender(socket);
  const keepWindow = createWindowKeeper(sender);
  const readFrames = createFrameReader({
    onData: (bytes, start, end) => {
      keepWindow(end - start);
      if (!closed) readMessages(bytes, start, end);
    },
    onControl: (control) => {
      const reason = handleControl(control, sender);
      if (reason !== undefined) close(reason);
    },
  });
  socket.on('error', (error) => {
    close(error.message);
  });
  socket.on('close', () => {
    close('connection closed');
  });
  sender.raw(PREFACE);
  sender.raw(
    frame({
      type: FRAME.settings,
      flags: 0,
      stream: 0,
      payload: Buffer.concat([Buffer.of(0, 4), uint32(RECEIVE_WINDOW)]),
    }),
  );
  sender.raw(
    frame({ type: FRAME.windowUpdate, flags: 0, stream: 0, payload: uint32(RECEIVE_WINDOW - DEFAULT_WINDOW) }),
  );
  sender.raw(frame({ type: FRAME.headers, flags: 4, stream: 1, payload: headerBlock(target) }));
  return {
    send: sender.data,
    flush: sender.flush,
    bytesRead: () => total,
    destroy: () => {
      closed = true;
      socket.destroy();
    },
  };
};
