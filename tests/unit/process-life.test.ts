import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isProcessGone, thisProcess } from '../../src/instances/process-life';
import { childrenOf } from '../support/server-process';
import { eventually } from '../support/eventually';

/** On Linux, as CI and production are; elsewhere a process of an unknown birth is believed to be there. */
const self = thisProcess();

test('this process is there', () => {
  expect(isProcessGone(self)).toBe(false);
  expect(self.pid).toBe(process.pid);
  expect(self.birth).toMatch(/^\d+$/);
});

test('a process that was killed is gone, and not before', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const identity = { ...self, pid: child.pid ?? 0, birth: '' };
  expect(isProcessGone(identity)).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isProcessGone(identity)).toBe(true);
});

test('another process under the same pid is not the one that was', () => {
  expect(isProcessGone({ ...self, birth: '1' })).toBe(true);
});

test('of a process of another machine, or of another container, nobody knows', () => {
  expect(isProcessGone({ ...self, space: `${self.space} elsewhere`, pid: 2 ** 22, birth: '1' })).toBe(false);
});

test('a process that has ended and that nobody has asked about is gone', async () => {
  // The shell's child ends; the program that takes the shell's place never asks.
  const parent = spawn('sh', ['-c', 'sleep 0 & exec sleep 60'], { stdio: 'ignore' });
  await once(parent, 'spawn');
  const children = (): Promise<number[]> => childrenOf(parent.pid ?? 0);
  await eventually('there is a child', async () => (await children()).length > 0);
  const [zombie = 0] = await children();
  await eventually('it has ended', () => isProcessGone({ ...self, pid: zombie, birth: '' }));
  expect(await children()).toEqual([zombie]);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
});
