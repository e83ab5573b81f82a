import { type ComponentType, lazy } from "react";

interface Page {
  /** A pattern of wouter's: /links/:id. */
  readonly path: string;
  /** The key of its name under "pages" in the texts. */
  readonly name: "links";
  readonly isInNavigation: boolean;
  readonly Component: ComponentType;
}

/** Each page is a file of its own with its styles, loaded when it is shown first. */
export const PAGES: readonly Page[] = [
  {
    path: "/",
    name: "links",
    isInNavigation: true,
    Component: lazy(() => import("./links/LinksPage.js")),
  },
];
