const ATTACHMENT = Symbol("attachment");

/**
 * A place on an object that is kept between requests. A layer above the domain may store there what it derives from the
 * object, and it is dropped together with the object. The domain does not read it.
 */
export interface Attachment {
  content: unknown;
}

/** Gives an object an empty attachment. The object must never change. Copies of it have no attachment. */
export const withAttachment = <Kept extends object>(kept: Kept): Kept =>
  Object.defineProperty(kept, ATTACHMENT, { value: { content: undefined } satisfies Attachment });

/** Undefined for an object without an attachment. */
export const attachmentOf = (object: unknown): Attachment | undefined =>
  (object as { readonly [ATTACHMENT]?: Attachment })[ATTACHMENT];
