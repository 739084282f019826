// Providers as features see them: by name, with the cluster that leads there.

import type { ProviderConfig, ProviderOf } from '../features/feature.js';
import type { PolicyInForce, Provider } from '../model/mesh.js';
import { nameOfCluster } from './names.js';

/** For rules, which name no provider. */
export const noProvider: ProviderOf = () => undefined;

/** The providers in reach of a policy. */
export const providerOf =
  ({ providers }: PolicyInForce): ProviderOf =>
  (name) => {
    const found = providers.get(name);
    return found === undefined ? undefined : configOf(found);
  };

/** A provider with its cluster. */
export const configOf = ({ target, ...provider }: Provider): ProviderConfig => ({
  ...provider,
  cluster: nameOfCluster(target),
  authority: `${target.name}.${target.namespace}:${String(target.port)}`,
});
