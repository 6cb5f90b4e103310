import { MemoryParticipants } from '../../src/sessions/memory-participants';
import { ManualClock } from '../support/manual-clock';
import { LEASE_MS, participantsContract } from './participants.contract';

participantsContract('memory', async () => {
  const clock = new ManualClock();
  const participants = new MemoryParticipants({ clock, leaseMs: LEASE_MS });
  return {
    one: participants,
    other: participants,
    pass: async (ms) => clock.advance(ms),
    stop: async () => {},
  };
});
