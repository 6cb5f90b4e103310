import type { Resolver } from 'awilix';

/** One for everything a cradle has, of the type it says. */
export type Registrations<Cradle> = { readonly [Name in keyof Cradle]: Resolver<Cradle[Name]> };
