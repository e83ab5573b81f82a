import type { ComponentType } from "react";
import type en from "../i18n/en.json";
import { lazyPart } from "../ui/lazyPart.js";

interface Page {
  /** A pattern of wouter's: /links/:id. */
  readonly path: string;
  /** The key of its name under "pages" in the texts. */
  readonly name: keyof (typeof en)["pages"];
  readonly isInNavigation: boolean;
  /** Whether the page has the filter of links, which stays when one goes to another such page. */
  readonly hasFilter?: boolean;
  /** Whether only administrators see it in the navigation. */
  readonly isForAdmins?: boolean;
  /** Whether its address names something of one channel, which another channel does not have. */
  readonly isOfChannel?: boolean;
  readonly Component: ComponentType;
}

/** The page that leads to a first channel. It is shown at any address where there is no channel yet. */
export const START: Page = {
  path: "/start",
  name: "start",
  isInNavigation: false,
  Component: lazyPart(() => import("./start/StartPage.js")),
};

/** Each page is a file of its own with its styles, loaded when it is shown first. */
export const PAGES: readonly Page[] = [
  {
    path: "/",
    name: "links",
    isInNavigation: true,
    hasFilter: true,
    Component: lazyPart(() => import("./links/LinksPage.js")),
  },
  {
    path: "/links/:id",
    name: "link",
    isInNavigation: false,
    isOfChannel: true,
    Component: lazyPart(() => import("./link/LinkPage.js")),
  },
  {
    path: "/performance",
    name: "performance",
    isInNavigation: true,
    hasFilter: true,
    Component: lazyPart(() => import("./performance/PerformancePage.js")),
  },
  {
    path: "/requests",
    name: "requests",
    isInNavigation: true,
    Component: lazyPart(() => import("./requests/RequestsPage.js")),
  },
  {
    path: "/bulk",
    name: "bulk",
    isInNavigation: true,
    Component: lazyPart(() => import("./bulk/BulkPage.js")),
  },
  {
    path: "/settings/:section?",
    name: "settings",
    isInNavigation: true,
    isForAdmins: true,
    Component: lazyPart(() => import("./settings/SettingsPage.js")),
  },
  START,
];

/** The pages that the navigation leads a user to. @param isAdmin whether the user is an administrator */
export const navigationOf = (isAdmin: boolean): readonly Page[] =>
  PAGES.filter(({ isInNavigation, isForAdmins }) => isInNavigation && (!isForAdmins || isAdmin));

/** The address of a page without its parameters. */
export const addressOf = ({ path }: Pick<Page, "path">): string => path.replace(/\/:.*/, "");
