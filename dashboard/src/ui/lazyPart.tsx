import { type ComponentType, lazy } from "react";

/** Style sheets that could not be loaded. Vite asks for each only once. */
const failedStyles = new Set<HTMLLinkElement>();
addEventListener(
  "error",
  ({ target }) => {
    if (target instanceof HTMLLinkElement && target.rel === "stylesheet") failedStyles.add(target);
  },
  true,
);

const loadAgain = (link: HTMLLinkElement): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const again = link.cloneNode() as HTMLLinkElement;
    again.onload = resolve;
    again.onerror = () => reject(new TypeError(`${link.href} could not be loaded.`));
    failedStyles.delete(link);
    link.replaceWith(again);
  });

/** What makes each part that could not be loaded loadable again. */
const failed = new Set<() => void>();

/** Has parts that could not be loaded be loaded again when they are shown next. */
export function forgetFailures(): void {
  for (const forget of failed) forget();
  failed.clear();
}

/** A component that is loaded when it is shown first. React's own lazy() would keep a failure until the page is reloaded. */
export function lazyPart<Props extends object>(
  load: () => Promise<{ readonly default: ComponentType<Props> }>,
): ComponentType<Props> {
  const start = () =>
    lazy(async () => {
      try {
        await Promise.all([...failedStyles].map(loadAgain));
        return await load();
      } catch (error) {
        failed.add(() => {
          Part = start();
        });
        throw error;
      }
    });
  let Part = start();
  return (props: Props) => <Part {...props} />;
}
