/** A name that a person gave, in whatever direction it is written. */
export const Name = ({ children }: { readonly children: string }) => <bdi dir="auto">{children}</bdi>;
