const SLOT = Symbol("slot");

/**
 * A place on an object that is kept between requests. A layer above the domain may store there what it derives from the
 * object, and it is dropped together with the object. The domain does not read it.
 */
export interface Slot {
  content: unknown;
}

/** Gives an object a slot. The object must never change. Copies of it have no slot. */
export const withSlot = <Kept extends object>(kept: Kept): Kept =>
  Object.defineProperty(kept, SLOT, { value: { content: undefined } satisfies Slot });

/** Undefined for an object without a slot. */
export const slotOf = (object: unknown): Slot | undefined => (object as { readonly [SLOT]?: Slot })[SLOT];
