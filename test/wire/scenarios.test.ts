// Every scenario with the pure reducer, and over a real socket with each transport.

import { transportNames } from '../../src/xds/transport.js';
import { createReducerPeer, createSocketPeer, type Peer } from './peers.js';
import { scenarios } from './scenarios.js';
import { play } from './script.js';

const protocols = ['delta', 'sotw'] as const;

describe('wire scenarios', () => {
  for (const scenario of scenarios) {
    for (const protocol of protocols.filter((one) => (scenario.only ?? one) === one)) {
      it(`${scenario.name} (${protocol}, reducer)`, () => play(scenario, protocol, createReducerPeer(protocol)));

      for (const transport of transportNames) {
        it(`${scenario.name} (${protocol}, ${transport})`, async () => {
          const peer: Peer = await createSocketPeer(protocol, transport);
          try {
            await play(scenario, protocol, peer);
          } finally {
            await peer.close();
          }
        });
      }
    }
  }
});
