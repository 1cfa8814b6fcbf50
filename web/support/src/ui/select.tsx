interface Props<Value extends string> {
  readonly label: string;
  readonly value: Value;
  /** The values, and what each is called. */
  readonly options: readonly (readonly [value: Value, words: string])[];
  readonly choose: (value: Value) => void;
  readonly kind?: string;
}

/** A choice of one value, such as a filter's. */
export function Select<Value extends string>({ label, value, options, choose, kind = '' }: Props<Value>) {
  return (
    <label class={kind}>
      <span>{label}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value as Value)}>
        {options.map(([each, words]) => (
          <option key={each} value={each}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}
