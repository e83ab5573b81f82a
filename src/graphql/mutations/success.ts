import type { ObjectRef } from "@pothos/core";
import { globalId, type IdKind } from "../../domain/shared/ids.js";
import { builder, type SchemaTypes } from "../builder/builder.js";

type Types = PothosSchemaTypes.ExtendDefaultTypes<SchemaTypes>;

interface SuccessField {
  readonly name: string;
  readonly description: string;
}

/**
 * The success type of a mutation that returns one node.
 * @param field the one field of the type, and the property under which the mutation's resolver returns the node.
 */
export const nodeSuccess = <Key extends string, Node extends object>(
  name: string,
  description: string,
  node: ObjectRef<Types, Node>,
  field: SuccessField & { readonly name: Key },
) =>
  builder.objectRef<Record<Key, Node>>(name).implement({
    description,
    fields: (t) => ({
      [field.name]: t.field({
        type: node as ObjectRef<Types, object>,
        description: field.description,
        resolve: (result): object => result[field.name],
      }),
    }),
  });

/** The success type of a mutation that deletes a node. The mutation's resolver returns the node's bare id. */
export const deletionSuccess = (name: string, description: string, kind: IdKind, fieldName: string) =>
  builder.objectRef<{ readonly id: string }>(name).implement({
    description,
    fields: (t) => ({
      [fieldName]: t.id({
        description: "The global id of the deleted node.",
        resolve: ({ id }) => globalId(kind, id),
      }),
    }),
  });
