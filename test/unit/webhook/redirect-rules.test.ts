// The redirect rules as text; what they do to connections is tested in test/netns.

import { expect } from 'chai';
import { redirectRules } from '../../../src/webhook/redirect-rules.js';

const linesOf = (text: string): readonly string[] => text.trimEnd().split('\n');

describe('redirect rules', () => {
  it('redirect everything but what the proxy sends and what stays in the pod', () => {
    expect(linesOf(redirectRules({ proxyUid: 1337 }).ipv4)).to.deep.equal([
      '*nat',
      ':LEGATION_IN - [0:0]',
      ':LEGATION_IN_REDIRECT - [0:0]',
      ':LEGATION_OUT - [0:0]',
      ':LEGATION_OUT_REDIRECT - [0:0]',
      '-A PREROUTING -p tcp -j LEGATION_IN',
      '-A LEGATION_IN -m addrtype ! --dst-type LOCAL -j RETURN',
      '-A LEGATION_IN -p tcp -m multiport --dports 15021,15022:15029,15090 -j RETURN',
      '-A LEGATION_IN -p tcp -j LEGATION_IN_REDIRECT',
      '-A LEGATION_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006',
      '-A OUTPUT -p tcp -j LEGATION_OUT',
      '-A LEGATION_OUT -o lo -s 127.0.0.6/32 -j RETURN',
      '-A LEGATION_OUT -o lo ! -d 127.0.0.1/32 -p tcp -m owner --uid-owner 1337 -j LEGATION_IN_REDIRECT',
      '-A LEGATION_OUT -o lo -m owner ! --uid-owner 1337 -j RETURN',
      '-A LEGATION_OUT -m owner --uid-owner 1337 -j RETURN',
      '-A LEGATION_OUT -d 127.0.0.1/32 -j RETURN',
      '-A LEGATION_OUT -j LEGATION_OUT_REDIRECT',
      '-A LEGATION_OUT_REDIRECT -p tcp -j REDIRECT --to-ports 15001',
      'COMMIT',
    ]);
  });

  it('are the same for IPv6, with its own loopback', () => {
    const { ipv4, ipv6 } = redirectRules({ proxyUid: 1337 });
    expect(ipv6).to.equal(ipv4.replaceAll('127.0.0.6/32', '::6/128').replaceAll('127.0.0.1/32', '::1/128'));
  });

  it('let excluded addresses be, each in the rules of its family', () => {
    const { ipv4, ipv6 } = redirectRules({
      proxyUid: 1337,
      excludeOutboundCidrs: ['169.254.169.254/32', 'fd00:ec2::254/128'],
    });
    expect(ipv4).to.include('-A LEGATION_OUT -d 169.254.169.254/32 -j RETURN').and.not.to.include('fd00');
    expect(ipv6).to.include('-A LEGATION_OUT -d fd00:ec2::254/128 -j RETURN').and.not.to.include('169');
  });

  it('let excluded ports be, fifteen in a match, a range as two', () => {
    const many = Array.from({ length: 16 }, (_, index) => 9001 + index);
    const lines = linesOf(
      redirectRules({ proxyUid: 1337, excludeInboundPorts: many, excludeOutboundPorts: many }).ipv4,
    );
    expect(lines.filter((line) => line.includes('multiport'))).to.deep.equal([
      `-A LEGATION_IN -p tcp -m multiport --dports 15021,15022:15029,15090,${many.slice(0, 11).join(',')} -j RETURN`,
      `-A LEGATION_IN -p tcp -m multiport --dports ${many.slice(11).join(',')} -j RETURN`,
      `-A LEGATION_OUT -p tcp -m multiport --dports ${many.slice(0, 15).join(',')} -j RETURN`,
      '-A LEGATION_OUT -p tcp -m multiport --dports 9016 -j RETURN',
    ]);
  });

  it('know the proxy by its group, too, where users are assigned', () => {
    const owned = linesOf(redirectRules({ proxyUid: 1337, proxyGid: 1338 }).ipv4).filter((line) =>
      line.includes('owner'),
    );
    expect(owned).to.deep.equal([
      '-A LEGATION_OUT -o lo ! -d 127.0.0.1/32 -p tcp -m owner --uid-owner 1337 -j LEGATION_IN_REDIRECT',
      '-A LEGATION_OUT -o lo ! -d 127.0.0.1/32 -p tcp -m owner --gid-owner 1338 -j LEGATION_IN_REDIRECT',
      '-A LEGATION_OUT -o lo -m owner ! --uid-owner 1337 ! --gid-owner 1338 -j RETURN',
      '-A LEGATION_OUT -m owner --uid-owner 1337 -j RETURN',
      '-A LEGATION_OUT -m owner --gid-owner 1338 -j RETURN',
    ]);
  });
});
