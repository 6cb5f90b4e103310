/** The code of a system fault such as ENOENT, or an empty text. Not by class: faults of another realm are faults too. */
export function faultCode(fault: unknown): string {
  return typeof fault === 'object' && fault !== null && 'code' in fault ? String(fault.code) : '';
}
