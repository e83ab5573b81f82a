import type { CSSProperties } from "react";
import { textOn } from "./colour.js";
import { type FragmentType, graphql, read } from "./gql/index.js";

export const TAG_CHIP = graphql(`
  fragment TagChip on Tag {
    id
    name
    color
  }
`);

export function TagChip(props: { readonly tag: FragmentType<typeof TAG_CHIP> }) {
  const { name, color } = read(TAG_CHIP, props.tag);
  const style = { "--chip": color, "--chip-text": textOn(color) } as CSSProperties;
  return (
    <span className="chip" style={style} title={name}>
      {name}
    </span>
  );
}
