// Reading whole lists page by page, for those that are short enough to be looked at whole.
import { call, type Query } from "./client";
import type { Page } from "./types";

/** Items asked for in one page: AWS's maximum. */
const PAGE_ITEMS = 500;
/** Items read at most; a list that is longer says so. */
export const ITEMS_MAX = 20_000;

export interface Whole<T> {
  items: T[];
  /** Whether there are more than were read. */
  more: boolean;
}

/** All items of a list, or the first `ITEMS_MAX`. */
export async function whole<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Whole<T>> {
  const items: T[] = [];
  let position: string | undefined;
  do {
    const page: Page<T> = await call({ path, query: { limit: PAGE_ITEMS, position, ...query }, signal });
    items.push(...page.item);
    position = page.position;
  } while (position !== undefined && items.length < ITEMS_MAX);
  return { items, more: position !== undefined };
}
