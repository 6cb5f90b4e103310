/** A map of maps that keeps no empty ones. */
export type NestedMap<T> = Map<string, Map<string, T>>;

export function putNested<T>(table: NestedMap<T>, outer: string, inner: string, value: T): void {
  const row = table.get(outer) ?? new Map<string, T>();
  table.set(outer, row);
  row.set(inner, value);
}

export function removeNested<T>(table: NestedMap<T>, outer: string, inner: string): void {
  const row = table.get(outer);
  row?.delete(inner);
  if (row?.size === 0) table.delete(outer);
}
