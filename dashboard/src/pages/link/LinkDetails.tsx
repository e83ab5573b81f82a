import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";

const LINK_DETAILS = graphql(`
  fragment LinkDetails on InviteLink {
    url
    externalId
    creatorId
    createdAt
    updatedAt
    expireDate
    memberLimit
    createsJoinRequest
    stats {
      firstJoinAt
      lastJoinAt
    }
  }
`);

/** What is set for a link, and when things happened to it. */
export function LinkDetails(props: { readonly link: FragmentType<typeof LINK_DETAILS> }) {
  const { t, number, dayAndTime } = useI18n();
  const link = read(LINK_DETAILS, props.link);
  const time = (instant: string | null | undefined) => instant && dayAndTime(instant);
  const details: readonly (readonly [title: string, value: string | null | undefined])[] = [
    [t("columns.address"), link.url],
    [t("link.externalId"), link.externalId],
    [t("columns.created_at"), time(link.createdAt)],
    [t("link.creator"), link.creatorId == null ? null : String(link.creatorId)],
    [t("link.changed"), time(link.updatedAt)],
    [t("form.expires"), time(link.expireDate)],
    [t("form.memberLimit"), link.memberLimit == null ? null : number(link.memberLimit)],
    [t("link.firstJoin"), time(link.stats.firstJoinAt)],
    [t("link.lastJoin"), time(link.stats.lastJoinAt)],
  ];
  return (
    <section className="card panel" aria-label={t("link.details")}>
      <h2>{t("link.details")}</h2>
      <dl className="details">
        {details.map(([title, value]) =>
          value ? (
            <div key={title}>
              <dt>{title}</dt>
              <dd dir="auto">{value}</dd>
            </div>
          ) : null,
        )}
      </dl>
    </section>
  );
}
