import { Decoder, Encoder, PacketType, type Packet } from 'socket.io-parser';
import { JsonText } from '../protocol/json-text';

/** An event whose payload is JSON text goes out as it is: Socket.IO's own encoder would look through it for binary data, twice. */
class EventEncoder extends Encoder {
  override encode(packet: Packet): unknown[] {
    const { type, nsp, id } = packet;
    const data: readonly unknown[] = Array.isArray(packet.data) ? packet.data : [];
    const [name, payload] = data;
    if (type !== PacketType.EVENT || nsp !== '/' || id !== undefined || data.length !== 2) return super.encode(packet);
    if (typeof name !== 'string' || !(payload instanceof JsonText)) return super.encode(packet);
    return [`${type}[${JSON.stringify(name)},${payload.text}]`];
  }
}

/** Socket.IO's own wire format. */
export const textParser = { Encoder: EventEncoder, Decoder };
