import { MemoryWebSocketManager } from '../../src/connections/memory-websocket-manager';
import { SocketInstance } from '../support/socket-instance';
import { webSocketManagerContract } from './websocket-manager.contract';

webSocketManagerContract('memory', async () => {
  const instance = await SocketInstance.start((io) => new MemoryWebSocketManager({ io }));
  return { one: instance, other: instance, stop: () => instance.stop() };
});
