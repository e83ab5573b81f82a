import { useId } from "react";

/** A choice of one among a few, all of which are shown. */
export function Segments<Value extends string | number>(props: {
  readonly label: string;
  readonly values: readonly (readonly [value: Value, name: string])[];
  readonly chosen: Value;
  readonly onChoose: (value: Value) => void;
}) {
  const { label, values, chosen, onChoose } = props;
  const name = useId();
  return (
    <div role="radiogroup" aria-label={label} className="segments">
      {values.map(([value, text]) => (
        <label key={value}>
          <input type="radio" name={name} checked={chosen === value} onChange={() => onChoose(value)} />
          <span dir="auto">{text}</span>
        </label>
      ))}
    </div>
  );
}
