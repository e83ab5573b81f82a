import { useQuery } from "@apollo/client/react";
import { Autocomplete } from "@base-ui/react/autocomplete";
import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { graphql } from "../api/gql/index.js";
import { LANGUAGES, type Language, useI18n } from "../i18n/index.js";
import { addressOf, navigationOf } from "../pages/pages.js";
import { Dialog } from "../ui/Dialog.js";
import { Icon } from "../ui/Icon.js";
import { Name } from "../ui/Name.js";
import { addressFor } from "./channel.js";
import { hasKey, press } from "./keys.js";
import { switchLanguage } from "./LanguageChoice.js";
import { leave } from "./session.js";
import { addressOfLink } from "./shortId.js";
import "./palette.css";

/** The links that a text is found in; as many as are shown. */
const FOUND = graphql(`
  query FoundLinks($channelId: TelegramID!, $search: String!) {
    inviteLinks(channelId: $channelId, filter: { search: $search }, first: 8) {
      nodes {
        id
        name
        url
      }
    }
  }
`);

export interface PaletteChannel {
  readonly id: string;
  readonly telegramId: number;
  readonly title: string;
}

interface Entry {
  readonly id: string;
  readonly label: string;
  readonly icon: "chevron" | "link" | "plus" | "leave" | "search" | "more";
  /** What stands beside the label. */
  readonly note?: string;
  readonly run: () => void;
}

/** Time from the last keystroke to the request, in milliseconds. */
const TYPING_MS = 200;

/** The text as it was a moment ago, so that not every keystroke is a request. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

/** Finds pages, channels, links and actions by what is typed, and goes there. */
export default function Palette(props: {
  readonly channels: readonly PaletteChannel[];
  readonly channelId: number | undefined;
  readonly isAdmin: boolean;
  readonly onClose: () => void;
}) {
  const { channels, channelId, isAdmin, onClose } = props;
  const { t, language } = useI18n();
  const [, navigate] = useLocation();
  const [typed, setTyped] = useState("");
  const wanted = typed.trim();
  const search = useSettled(wanted);
  const { data } = useQuery(FOUND, {
    variables: { channelId: channelId ?? 0, search },
    skip: channelId === undefined || search === "",
    // Others may have made a link since the text was searched before.
    fetchPolicy: "cache-and-network",
  });
  // What an earlier text found is not shown, since Enter would open it.
  const found = wanted === search ? (data?.inviteLinks.nodes ?? []) : [];

  const matches = ({ label }: Entry) => label.toLowerCase().includes(wanted.toLowerCase());
  const links: readonly Entry[] =
    channelId === undefined
      ? []
      : found.map(({ id, name, url }) => ({
          id,
          label: name ?? t("links.unnamed"),
          note: url.replace("https://", ""),
          icon: "link",
          run: () => navigate(addressOfLink(id, channelId)),
        }));
  const actions: readonly Entry[] = [
    ...(hasKey("n")
      ? [{ id: "create", label: t("links.create"), icon: "plus", run: () => press("n") } as const]
      : []),
    { id: "keys", label: t("keys.title"), icon: "more", run: () => press("?") },
    ...Object.entries(LANGUAGES)
      .filter(([code]) => code !== language)
      .map(
        ([code, name]): Entry => ({
          id: code,
          label: name,
          note: t("shell.language"),
          icon: "chevron",
          run: () => void switchLanguage(code as Language, t),
        }),
      ),
    { id: "leave", label: t("shell.signOut"), icon: "leave", run: leave },
  ];
  const pages: readonly Entry[] =
    channelId === undefined
      ? []
      : navigationOf(isAdmin).map((page) => ({
          id: page.path,
          label: t(`pages.${page.name}`),
          icon: "chevron",
          run: () => navigate(addressFor(addressOf(page), channelId)),
        }));
  const others: readonly Entry[] = channels
    .filter(({ telegramId }) => telegramId !== channelId)
    .map(({ id, telegramId, title }) => ({
      id,
      label: title,
      icon: "chevron",
      run: () => navigate(addressFor("/", telegramId)),
    }));
  const groups = [
    { value: t("palette.links"), items: links },
    { value: t("shell.pages"), items: pages.filter(matches) },
    { value: t("palette.actions"), items: actions.filter(matches) },
    { value: t("palette.channels"), items: others.filter(matches).slice(0, 20) },
  ].filter(({ items }) => items.length > 0);

  function choose({ run }: Entry): void {
    onClose();
    // The dialog is closed first: what the entry opens must not be beneath it.
    setTimeout(run);
  }

  return (
    <Dialog title={t("palette.title")} kind="palette" onClose={onClose}>
      <div data-transient>
        <Autocomplete.Root
          open
          inline
          items={groups}
          filter={null}
          mode="none"
          autoHighlight="always"
          keepHighlight
          value={typed}
          onValueChange={setTyped}
          itemToStringValue={({ label }: Entry) => label}
        >
          <Autocomplete.Input
            className="palette-input"
            aria-label={t("palette.title")}
            placeholder={t("palette.hint")}
          />
          <Autocomplete.Empty className="muted palette-empty">{t("palette.none")}</Autocomplete.Empty>
          <Autocomplete.List className="palette-list">
            {(group: (typeof groups)[number]) => (
              <Autocomplete.Group key={group.value} items={group.items}>
                <Autocomplete.GroupLabel className="small muted">{group.value}</Autocomplete.GroupLabel>
                <Autocomplete.Collection>
                  {(entry: Entry) => (
                    <Autocomplete.Item
                      key={entry.id}
                      value={entry}
                      className="palette-entry"
                      onClick={() => choose(entry)}
                    >
                      <Icon name={entry.icon} />
                      <span className="palette-label">
                        <Name>{entry.label}</Name>
                      </span>
                      {entry.note !== undefined && <span className="small muted">{entry.note}</span>}
                    </Autocomplete.Item>
                  )}
                </Autocomplete.Collection>
              </Autocomplete.Group>
            )}
          </Autocomplete.List>
        </Autocomplete.Root>
      </div>
    </Dialog>
  );
}
