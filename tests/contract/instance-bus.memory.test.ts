import { MemoryInstanceBus } from '../../src/instances/memory-instance-bus';
import { instanceBusContract } from './instance-bus.contract';

instanceBusContract('memory', async () => {
  const one = new MemoryInstanceBus();
  return { one, other: new MemoryInstanceBus(one), stop: async () => {} };
});

test('one that is alone tells nobody', async () => {
  const [one, stranger] = [new MemoryInstanceBus(), new MemoryInstanceBus()];
  const heard: string[] = [];
  for (const bus of [one, stranger]) bus.follow('s', (message) => heard.push(message));
  one.tell('s', 'is anybody there?');
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toEqual([]);
});
