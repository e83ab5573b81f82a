import type { ReactNode } from "react";

/** A section of the settings: its name, what it is for, and a button for something new. */
export function Section(props: {
  readonly title: string;
  readonly hint: string;
  readonly action?: ReactNode;
  readonly children: ReactNode;
}) {
  const { title, hint, action, children } = props;
  return (
    <>
      <div className="title-row">
        <h1>{title}</h1>
        <span className="spring" />
        {action}
      </div>
      <p className="muted">{hint}</p>
      {children}
    </>
  );
}
