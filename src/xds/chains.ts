// Fallbacks: an aggregate cluster for each backend that has one behind it. Envoy goes on to the next member when the
// healthy endpoints of those before it cannot bear the load.

import { Cluster, Cluster_LbPolicy } from '../gen/envoy/config/cluster/v3/cluster.js';
import { ClusterConfig } from '../gen/envoy/extensions/clusters/aggregate/v3/cluster.js';
import { packAny } from '../features/any.js';
import type { PortModel, Rule, ServiceModel, Target } from '../model/mesh.js';
import { originsOf, thresholdsOf } from './clusters.js';
import { durationOfSeconds } from './config-source.js';
import { nameOfChain, nameOfCluster } from './names.js';
import type { Resource } from './resources.js';

/** The Service port whose rules these are. */
export interface Owner {
  readonly service: ServiceModel;
  readonly port: PortModel;
}

/** A cluster and those that stand in for it. */
interface Chain {
  readonly name: string;
  readonly clusters: readonly string[];
}

const targetsWhere = (rule: Rule, isWanted: (backend: Rule['backends'][number]) => boolean): readonly string[] =>
  rule.backends.flatMap((backend) =>
    backend.kind === 'service' && isWanted(backend) ? [nameOfCluster(backend.target)] : [],
  );

/** First the backend itself, then the others of its rule, and fallbacks last; undefined without fallbacks. */
function chainFrom(first: string, rule: Rule, { service, port }: Owner): Chain | undefined {
  const fallbacks = targetsWhere(rule, ({ fallback }) => fallback);
  if (fallbacks.length === 0) return undefined;
  const clusters = [...new Set([first, ...targetsWhere(rule, ({ weight }) => weight > 0), ...fallbacks])];
  return { name: nameOfChain({ ...service.ref, port: port.port }, clusters), clusters };
}

/** The cluster of a backend of a rule: with its fallbacks, where it has some. */
export function nameOfBackend(target: Target, rule: Rule, owner: Owner): string {
  const name = nameOfCluster(target);
  return chainFrom(name, rule, owner)?.name ?? name;
}

function chainsOf(owner: Owner): readonly Chain[] {
  const { hosts, consumers } = owner.port;
  const rules = [hosts, ...consumers.values()].flat().flatMap(({ entries }) => entries.map(({ rule }) => rule));
  const chains = [...new Set(rules)].flatMap((rule) =>
    targetsWhere(rule, ({ weight }) => weight > 0).flatMap((name) => chainFrom(name, rule, owner) ?? []),
  );
  return [...new Map(chains.map((chain) => [chain.name, chain])).values()];
}

/** The aggregate clusters of a Service's rules. What is set of a member holds for it; retries are counted here. */
export const buildChains = (service: ServiceModel): readonly Resource<'cluster'>[] =>
  service.ports.flatMap((port) =>
    chainsOf({ service, port }).map(({ name, clusters }): Resource<'cluster'> => ({
      type: 'cluster',
      name,
      origins: originsOf(service, port),
      message: Cluster.fromPartial({
        name,
        clusterDiscoveryType: {
          $case: 'clusterType',
          value: {
            name: 'envoy.clusters.aggregate',
            typedConfig: packAny(ClusterConfig, ClusterConfig.fromPartial({ clusters })),
          },
        },
        lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
        connectTimeout: durationOfSeconds(5),
        commonLbConfig: { healthyPanicThreshold: { value: 0 } },
        circuitBreakers: { thresholds: [thresholdsOf(service, port)] },
      }),
    })),
  );
