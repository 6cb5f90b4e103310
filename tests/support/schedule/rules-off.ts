import type { RuleOff } from './rule-off';
import { CLIENT_RULES_OFF } from './rules-off-client';
import { DELIVERY_RULES_OFF } from './rules-off-delivery';
import { ORDER_RULES_OFF } from './rules-off-order';
import { STORE_RULES_OFF } from './rules-off-store';

/** Every rule that the schedules must miss when it is not kept. */
export const RULES_OFF: readonly RuleOff[] = [
  ...ORDER_RULES_OFF,
  ...STORE_RULES_OFF,
  ...DELIVERY_RULES_OFF,
  ...CLIENT_RULES_OFF,
];
