/** A value that is JSON text already, so that nobody parses it only to write it again. */
export class JsonText<Value> {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** For whoever does not know of this class. */
  toJSON(): Value {
    return JSON.parse(this.text) as Value;
  }
}
