import { expect, test } from 'vitest';
import { causeOf, filterOf, instanceOf, movedBy, whatOf } from './subjects';

const PLAN = '0123456789abcdef0123456789abcdef';

test('what is no kind of subject is containers', () => {
  expect(whatOf('plans')).toBe('plans');
  expect(whatOf('toString')).toBe('containers');
  expect(whatOf(null)).toBe('containers');
});

test('instances are containers of the platform, and none of its roles', () => {
  expect(filterOf('instances', 'lab')).toBe(
    'kind~container and subject~"container/wharf-lab-"' +
      ' and subject!="container/wharf-lab-director"' +
      ' and subject!="container/wharf-lab-allocator"' +
      ' and subject!="container/wharf-lab-proxy"',
  );
  expect(filterOf('all', 'lab')).toBe('');
});

test('an instance and its deployment are told by the name of its container', () => {
  const of = (name: string) => instanceOf(`container/${name}`, 'lab');
  expect(of('wharf-lab-orders-storage-0')).toEqual({ alias: 'orders', name: 'storage-0' });
  expect(of('wharf-lab-my-shop-2-monitoring-1')).toEqual({ alias: 'my-shop-2', name: 'monitoring-1' });
  expect(of('wharf-lab-orders-storage-0-0a1b2c3d'), 'where the name was taken').toEqual({
    alias: 'orders',
    name: 'storage-0',
  });
  expect(of('wharf-lab-director')).toBeUndefined();
  expect(of('web-1')).toBeUndefined();
  expect(instanceOf('container/wharf-lab-orders-storage-0', ''), 'of which platform is not known').toBe(
    undefined,
  );
});

test('a cause is divided around the plan that it names', () => {
  expect(causeOf(`by the platform, plan ${PLAN}, exit code 143`)).toEqual({
    before: 'by the platform, ',
    planId: PLAN,
    after: ', exit code 143',
  });
  expect(causeOf('no plan: by hand')).toEqual({ before: 'no plan: by hand', planId: '', after: '' });
});

test('what a plan of a move takes away and brings has moved', () => {
  expect(movedBy('container_appeared', true)).toBe('here');
  expect(movedBy('container_vanished', true)).toBe('away');
  expect(movedBy('container_restarted', true)).toBeUndefined();
  expect(movedBy('container_vanished', false)).toBeUndefined();
});
