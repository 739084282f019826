// The only place where a message is put into a google.protobuf.Any or taken out of one.
import { codecs, type MessageType } from '../gen/codecs.js';
import type { Any } from '../gen/google/protobuf/any.js';
import { encodeMessage } from './encode.js';

const prefix = 'type.googleapis.com/';

/** A message taken out of an Any, with the codec that read it. */
export interface Unpacked {
  readonly type: MessageType;
  readonly message: unknown;
}

/** The type URL of a message type, as Envoy writes it. */
export function typeUrlOf(type: { readonly $type: string }): string {
  return `${prefix}${type.$type}`;
}

/** Packs a message; equal messages make equal bytes. */
export function packAny<T>(type: MessageType<T>, message: T): Any {
  const bytes = encodeMessage(type, message);
  return { typeUrl: typeUrlOf(type), value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** The message in an Any; undefined when its type is not one that we generate. Throws when the bytes are malformed. */
export function unpackAny(any: Any): Unpacked | undefined {
  const type = codecs.get(any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1));
  return type === undefined ? undefined : { type, message: type.decode(any.value) };
}
