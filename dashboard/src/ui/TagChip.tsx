import type { CSSProperties } from "react";
import { type FragmentType, graphql, read } from "../api/gql/index.js";
import { textOn } from "./colour.js";

export const TAG_CHIP = graphql(`
  fragment TagChip on Tag {
    name
    color
  }
`);

export function TagChip(props: { readonly tag: FragmentType<typeof TAG_CHIP> }) {
  const { name, color } = read(TAG_CHIP, props.tag);
  const style = { "--chip": color, "--chip-text": textOn(color) } as CSSProperties;
  return (
    <bdi dir="auto" className="chip" style={style} title={name}>
      {name}
    </bdi>
  );
}
