/** The code of a system fault such as ENOENT, or an empty text. Not by class: faults of another realm are faults too. */
export function faultCode(fault: unknown): string {
  return typeof fault === 'object' && fault !== null && 'code' in fault ? String(fault.code) : '';
}

/** What is at the bottom of a fault. */
export function rootOf(fault: unknown): unknown {
  const cause = typeof fault === 'object' && fault !== null && 'cause' in fault ? fault.cause : undefined;
  return cause === undefined ? fault : rootOf(cause);
}

/** What went wrong at the bottom of it: "no space left", not "the store is unavailable". */
export function rootMessageOf(fault: unknown): string {
  const root = rootOf(fault);
  if (typeof root !== 'object' || root === null) return String(root);
  return 'message' in root ? String(root.message) : 'unknown';
}

/** The whole story of a fault, from what could not be done to what is at the bottom of it: for the person who is to put it right. */
export function explain(fault: unknown): string {
  if (typeof fault !== 'object' || fault === null || !('message' in fault)) return String(fault);
  const message = String(fault.message);
  return 'cause' in fault && fault.cause !== undefined ? `${message} ${explain(fault.cause)}` : message;
}
