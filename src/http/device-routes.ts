import { endpoints } from './endpoints';
import type { HttpServices } from './http-services';
import { serveUser, type Route } from './serve';

/** Where the caller is signed in, and signing out there. */
export function deviceRoutes({ deviceSessions }: HttpServices): Route[] {
  return [
    serveUser(endpoints.listDevices, async ({ user }) => {
      const devices = await deviceSessions.list(user.userId);
      const listed = devices.map((device) => ({ ...device, isCurrent: device.deviceId === user.deviceId }));
      return { kind: 'json', value: { devices: listed } };
    }),

    serveUser(endpoints.revokeDevice, async ({ user, params: { deviceId } }) => {
      await deviceSessions.revoke(user.userId, deviceId);
      return { kind: 'empty' };
    }),

    serveUser(endpoints.revokeDevices, async ({ user, query: { current } }) => {
      await deviceSessions.revokeAll(user.userId, current === 'true' ? null : user.deviceId);
      return { kind: 'empty' };
    }),
  ];
}
