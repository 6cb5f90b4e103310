// Figures as people read them.

const COUNT = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
/** From here on digits say less than the size. */
const COMPACT_FROM = 100_000;

export const count = (value: number): string => (value < COMPACT_FROM ? COUNT : COMPACT).format(value);

/** A rate: with a tenth where it is small. */
export const rate = (value: number): string => (value < 10 ? value.toFixed(value === 0 ? 0 : 1) : count(value));

export function milliseconds(value: number): string {
  if (value >= 10_000) return duration(value / 1_000);
  if (value >= 100 || Number.isInteger(value)) return `${COUNT.format(value)} ms`;
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}

const UNITS: ReadonlyArray<readonly [seconds: number, name: string]> = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** In its largest unit and the next one. */
export function duration(seconds: number): string {
  const largest = UNITS.findIndex(([size]) => seconds >= size);
  if (largest < 0) return '0 s';
  let rest = Math.floor(seconds);
  const parts = UNITS.slice(largest, largest + 2).map(([size, name]) => {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    return amount === 0 ? null : `${amount} ${name}`;
  });
  return parts.filter((part) => part !== null).join(' ');
}

export const ago = (seconds: number): string => (seconds < 2 ? 'now' : `${duration(seconds)} ago`);

/** A round number at or above, for the top of a scale: one of these times a power of ten. */
const ROUND = [1, 1.5, 2, 3, 4, 6, 8, 10];

export function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return (ROUND.find((step) => step * power >= value) ?? 10) * power;
}
