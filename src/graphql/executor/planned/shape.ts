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

/** An output type in the form by which its values are completed: examined once for each field, not for each value. */
export type Shape = { readonly isNullable: boolean } & (
  | { readonly kind: "leaf"; readonly type: GraphQLLeafType }
  | { readonly kind: "list"; readonly item: Shape }
  | { readonly kind: "object"; readonly type: GraphQLObjectType }
  | { readonly kind: "abstract"; readonly type: GraphQLAbstractType }
);

export function shapeOf(type: GraphQLOutputType): Shape {
  const isNullable = !isNonNullType(type);
  const inner = isNonNullType(type) ? type.ofType : type;
  if (isLeafType(inner)) return { isNullable, kind: "leaf", type: inner };
  if (isListType(inner)) return { isNullable, kind: "list", item: shapeOf(inner.ofType) };
  if (isObjectType(inner)) return { isNullable, kind: "object", type: inner };
  return { isNullable, kind: "abstract", type: inner };
}
