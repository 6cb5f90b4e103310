import { Emitter } from '../../src/client/emitter';

interface Events {
  told: string;
}

describe('an emitter', () => {
  test('tells every listener until it is taken away', () => {
    const emitter = new Emitter<Events>();
    const heard: string[] = [];
    const stop = emitter.on('told', (text) => heard.push(`one ${text}`));
    const other = (text: string): void => void heard.push(`other ${text}`);
    emitter.on('told', other);
    emitter.emit('told', 'a');
    stop();
    emitter.emit('told', 'b');
    emitter.off('told', other);
    emitter.emit('told', 'c');
    expect(heard).toEqual(['one a', 'other a', 'other b']);
    expect(emitter.listenerCount).toBe(0);
  });

  test('a listener that throws keeps nothing from the others, and its fault is not swallowed', () => {
    const later: Array<() => void> = [];
    const spy = jest.spyOn(globalThis, 'queueMicrotask').mockImplementation((run) => void later.push(run));
    const emitter = new Emitter<Events>();
    const heard: string[] = [];
    emitter.on('told', () => {
      throw new Error('a fault of the application');
    });
    emitter.on('told', (text) => heard.push(text));
    emitter.emit('told', 'a');
    spy.mockRestore();
    expect(heard).toEqual(['a']);
    expect(later).toHaveLength(1);
    expect(() => later[0]?.()).toThrow('a fault of the application');
  });
});
