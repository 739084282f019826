// Small pieces that several builders share: where Envoy gets more from, addresses, durations.

import { ApiVersion, ConfigSource } from '../gen/envoy/config/core/v3/config_source.js';
import { Address } from '../gen/envoy/config/core/v3/address.js';

const seconds = (count: number) => ({ seconds: BigInt(count), nanos: 0 });

/** More of it comes over the same stream. Without a timeout Envoy waits: half a configuration is unsafe. */
export const fromAds = ConfigSource.fromPartial({
  configSourceSpecifier: { $case: 'ads', value: {} },
  resourceApiVersion: ApiVersion.V3,
  initialFetchTimeout: seconds(0),
});

/** Endpoints have a timeout: an updated cluster must not stay warming for ever. */
export const endpointsFromAds = ConfigSource.fromPartial({
  configSourceSpecifier: { $case: 'ads', value: {} },
  resourceApiVersion: ApiVersion.V3,
  initialFetchTimeout: seconds(5),
});

/** A TCP address. */
export const socketAddress = (address: string, port: number): Address =>
  Address.fromPartial({
    address: { $case: 'socketAddress', value: { address, portSpecifier: { $case: 'portValue', value: port } } },
  });

/** A whole number of seconds. */
export const durationOfSeconds = seconds;

/** Envoy's limit for "no limit". */
export const unlimited = 4_294_967_295;
