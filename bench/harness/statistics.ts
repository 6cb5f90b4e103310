/** The value below which `share` of the samples lie; NaN without samples. Sorts in place. */
export function percentile(samples: Float64Array, share: number): number {
  samples.sort();
  return samples[Math.min(samples.length - 1, Math.floor(samples.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >>> 1] ?? Number.NaN;
  const lower = sorted[(sorted.length - 1) >>> 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** Grows as it is filled; a plain array of a million numbers would be boxed and scattered. */
export class Samples {
  #values = new Float64Array(4_096);
  #count = 0;

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(this.#count * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count] = value;
    this.#count += 1;
  }

  get count(): number {
    return this.#count;
  }

  percentile(share: number): number {
    return percentile(this.#values.subarray(0, this.#count), share);
  }
}
