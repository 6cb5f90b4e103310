import { asFunction } from 'awilix';
import { Gauges } from '../telemetry/gauges';
import { Telemetry } from '../telemetry/telemetry';
import type { GivenCradle } from './given';
import type { Registrations } from './registrations';

export interface TelemetryCradle {
  readonly telemetry: Telemetry;
  readonly gauges: Gauges;
}

type Cradle = TelemetryCradle & GivenCradle;

export const telemetryRegistrations: Registrations<TelemetryCradle> = {
  telemetry: asFunction(() => new Telemetry()).singleton(),
  gauges: asFunction(({ telemetry, clock }: Cradle) => new Gauges({ telemetry, clock })).singleton(),
};
