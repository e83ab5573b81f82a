import { useQuery } from "@apollo/client/react";
import { useEffect, useState } from "react";
import { graphql } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { Icon } from "../../ui/Icon.js";
import type { ChangeView } from "./useView.js";
import { knownGroups, type View } from "./view.js";

const KNOWN_TAGS = graphql(`
  query KnownTags($channelId: TelegramID!) {
    tagTypes {
      id
    }
    inviteLinks(channelId: $channelId, first: 0) {
      facets {
        type {
          id
        }
        tags {
          tag {
            id
          }
        }
      }
    }
  }
`);

/** Takes what does not exist any more, such as a deleted tag, out of the address, and says so. */
export default function DroppedNotice(props: {
  readonly channelId: number;
  readonly view: View;
  /** Parameters of the address without a meaning. */
  readonly dropped: readonly string[];
  /** The server refused the filter. */
  readonly isRefused: boolean;
  readonly onChange: ChangeView;
}) {
  const { channelId, view, dropped, isRefused, onChange } = props;
  const { t } = useI18n();
  const [isShown, setIsShown] = useState(false);
  const { data } = useQuery(KNOWN_TAGS, {
    variables: { channelId },
    skip: !isRefused || view.groups.length === 0,
    fetchPolicy: "network-only",
  });
  const isDropped = dropped.length > 0;
  useEffect(() => {
    if (!isDropped) return;
    setIsShown(true);
    // Writes the address anew, without what has no meaning.
    onChange({}, "replace");
  }, [isDropped, onChange]);
  useEffect(() => {
    if (!data || !isRefused) return;
    const known = new Map(data.tagTypes.map(({ id }) => [id, new Set<string>()]));
    for (const { type, tags } of data.inviteLinks.facets)
      known.set(type.id, new Set(tags.map(({ tag }) => tag.id)));
    const groups = knownGroups(view.groups, known);
    if (JSON.stringify(groups) === JSON.stringify(view.groups)) return;
    setIsShown(true);
    onChange({ groups }, "replace");
  }, [data, isRefused, view.groups, onChange]);
  if (!isShown) return null;
  return (
    <p className="notice">
      <Icon name="alert" /> <span className="spring">{t("links.dropped")}</span>
      <button
        type="button"
        className="quiet icon-button small-icon"
        aria-label={t("common.dismiss")}
        onClick={() => setIsShown(false)}
      >
        <Icon name="close" />
      </button>
    </p>
  );
}
