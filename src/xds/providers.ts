// Providers as features see them: by name, with the cluster that leads there.

import type { ProviderOf } from '../features/feature.js';
import type { PolicyInForce } from '../model/mesh.js';
import { nameOfCluster } from './names.js';

/** For rules, which name no provider. */
export const noProvider: ProviderOf = () => undefined;

/** The providers in reach of a policy. */
export const providerOf =
  ({ providers }: PolicyInForce): ProviderOf =>
  (name) => {
    const found = providers.get(name);
    if (found === undefined) return undefined;
    const { target, ...provider } = found;
    const authority = `${target.name}.${target.namespace}:${String(target.port)}`;
    return { ...provider, cluster: nameOfCluster(target), authority };
  };
