// A program over the client that oazapfts generates from /openapi.json.
import {
  createInviteLink,
  createTag,
  defaults,
  getInviteLink,
  type InviteLink,
  listInviteLinks,
  listTags,
  listTagTypes,
  updateTag,
} from "./client.js";

export function connect(origin: string, token: string): void {
  defaults.baseUrl = origin;
  defaults.headers = { authorization: `Bearer ${token}` };
}

/** The names of all links that carry a tag, in the order of their names, with what they cost together. */
export async function carrying(channelId: number, typeId: string, tagId: string) {
  const groups = [{ tag_type_id: typeId, tags: [tagId] }];
  const answer = await listInviteLinks(
    channelId,
    { tags: groups },
    { limit: -1, orderedFields: ["name", "-created_at"] },
  );
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.data));
  const items: InviteLink[] = answer.data.items;
  const budget: number = items.reduce((sum, link) => sum + link.budget, 0);
  return { names: items.map(({ name }) => name ?? "?"), budget, total: answer.data.total };
}

/** Makes a tag and a link that carries it, and reads both again; what they are called. */
export async function make(channelId: number, key: string): Promise<string> {
  const types = await listTagTypes();
  if (types.status !== 200) return "no types";
  const tag = await createTag({
    channel_id: channelId,
    name: "Generated",
    color: "#00ff00",
    tag_type_id: types.data[0]?.id ?? "",
  });
  if (tag.status !== 201) return `no tag: ${tag.status}`;
  const link = await createInviteLink(
    { channel_id: channelId, name: "From a program", budget: 9.9, tags: [tag.data.id] },
    { idempotencyKey: key },
  );
  if (link.status !== 201) return refusal(link);
  const renamed = await updateTag(channelId, "Renamed", "#0000ff", tag.data.type.id, tag.data.id);
  const read = await getInviteLink(channelId, link.data.id);
  const found = await listTags(channelId, { name: "rename" });
  if (renamed.status !== 200 || read.status !== 200 || found.status !== 200) return "not read";
  const [first] = found.data.items;
  return `${read.data.name} (${read.data.budget}) carries ${read.data.tags[0]?.name}, which ${first?.links[0]?.name} carries`;
}

type Refused = Exclude<Awaited<ReturnType<typeof createInviteLink>>, { status: 201 }>;

function refusal(answer: Refused): string {
  switch (answer.status) {
    case 422:
      return answer.data.detail.map(({ loc }) => loc.join(".")).join(", ");
    case 502:
    case 504:
      return answer.data.outcome_unknown ? "perhaps made" : "not made";
    default:
      return answer.data.detail;
  }
}

/** Why a link was not made. */
export async function refused(channelId: number, name: string): Promise<string> {
  const answer = await createInviteLink({ channel_id: channelId, name, member_limit: 0 });
  return answer.status === 201 ? "made" : refusal(answer);
}
