import {
  type GraphQLAbstractType,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from "graphql";

/** An output type as its values are completed by: looked at once, rather than for each value. */
export type Shape = { readonly isNullable: boolean } & (
  | { readonly kind: "leaf"; readonly type: GraphQLLeafType }
  | { readonly kind: "list"; readonly item: Shape }
  | { readonly kind: "object"; readonly type: GraphQLObjectType }
  | { readonly kind: "abstract"; readonly type: GraphQLAbstractType }
);

export function shapeOf(type: GraphQLOutputType): Shape {
  const isNullable = !isNonNullType(type);
  const of = isNonNullType(type) ? type.ofType : type;
  if (isLeafType(of)) return { isNullable, kind: "leaf", type: of };
  if (isListType(of)) return { isNullable, kind: "list", item: shapeOf(of.ofType) };
  if (isObjectType(of)) return { isNullable, kind: "object", type: of };
  return { isNullable, kind: "abstract", type: of };
}
