import type { ReactNode } from "react";
import { useI18n } from "../../i18n/index.js";

/** One line of a link's history. */
export function Entry(props: {
  readonly kind: string;
  readonly text: string;
  readonly at: string;
  readonly children?: ReactNode;
}) {
  const { dayAndTime } = useI18n();
  return (
    <li data-kind={props.kind}>
      <span>
        <span dir="auto">{props.text}</span>
        {props.children}
      </span>
      <time className="small muted" dateTime={props.at}>
        {dayAndTime(props.at)}
      </time>
    </li>
  );
}
