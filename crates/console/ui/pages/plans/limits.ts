// A plan's limits as a form holds them, and the patch from one form to another.
import type { PatchOperation, QuotaPeriod, UsagePlan } from "../../api/types";

/** Empty texts are limits that are not set. */
export interface Limits {
  name: string;
  description: string;
  throttled: boolean;
  rate: number | string;
  burst: number | string;
  metered: boolean;
  quota: number | string;
  period: QuotaPeriod;
  offset: number | string;
}

export const FRESH: Limits = {
  name: "",
  description: "",
  throttled: true,
  rate: 10,
  burst: 20,
  metered: true,
  quota: 1000,
  period: "MONTH",
  offset: 0,
};

export function limitsOf(plan: UsagePlan): Limits {
  const { throttle, quota } = plan;
  return {
    name: plan.name,
    description: plan.description ?? "",
    throttled: throttle !== undefined,
    rate: throttle?.rateLimit ?? "",
    burst: throttle?.burstLimit ?? "",
    metered: quota !== undefined,
    quota: quota?.limit ?? "",
    period: quota?.period ?? "MONTH",
    offset: quota?.offset ?? 0,
  };
}

/** The largest offset of a period: days by which its first day is shifted. */
export const OFFSET_MAX: Record<QuotaPeriod, number> = { DAY: 0, WEEK: 6, MONTH: 27 };

type Problems = Partial<Record<keyof Limits, string>>;

export function problems(limits: Limits): Problems {
  const found: Problems = {};
  const whole = (value: number | string) => typeof value === "number" && Number.isInteger(value) && value >= 0;
  if (limits.name.trim() === "") found.name = "A plan needs a name";
  if (limits.throttled && !(typeof limits.rate === "number" && limits.rate >= 0)) found.rate = "A number of requests a second, 0 or more";
  if (limits.throttled && !whole(limits.burst)) found.burst = "A whole number of requests, 0 or more";
  if (limits.metered && !whole(limits.quota)) found.quota = "A whole number of requests, 0 or more";
  const most = OFFSET_MAX[limits.period];
  if (limits.metered && !(whole(limits.offset) && Number(limits.offset) <= most)) found.offset = `0 to ${most}`;
  return found;
}

/** The body of CreateUsagePlan. */
export function body(limits: Limits) {
  return {
    name: limits.name.trim(),
    description: limits.description || undefined,
    throttle: limits.throttled ? { rateLimit: limits.rate, burstLimit: limits.burst } : undefined,
    quota: limits.metered ? { limit: limits.quota, offset: limits.offset, period: limits.period } : undefined,
  };
}

/** What UpdateUsagePlan has to be told; only what was changed. */
export function patch(before: Limits, after: Limits): PatchOperation[] {
  const operations: PatchOperation[] = [];
  const set = (path: string, old: unknown, now: unknown, anyway = false) => {
    if (anyway || old !== now) operations.push({ op: "replace", path, value: String(now) });
  };
  set("/name", before.name, after.name.trim());
  set("/description", before.description, after.description);
  if (before.throttled && !after.throttled) operations.push({ op: "remove", path: "/throttle" });
  if (after.throttled) {
    set("/throttle/rateLimit", before.rate, after.rate, !before.throttled);
    set("/throttle/burstLimit", before.burst, after.burst, !before.throttled);
  }
  if (before.metered && !after.metered) operations.push({ op: "remove", path: "/quota" });
  if (after.metered) {
    set("/quota/limit", before.quota, after.quota, !before.metered);
    set("/quota/period", before.period, after.period, !before.metered);
    set("/quota/offset", before.offset, after.offset, !before.metered);
  }
  return operations;
}

const SAYS: Record<keyof Limits, string> = {
  name: "name",
  description: "description",
  throttled: "throttle",
  rate: "rate",
  burst: "burst",
  metered: "quota",
  quota: "quota",
  period: "period",
  offset: "offset",
};

/** The names of what differs between two. */
export function differences(one: Limits, other: Limits): string[] {
  const keys = Object.keys(SAYS) as (keyof Limits)[];
  return [...new Set(keys.filter((key) => one[key] !== other[key]).map((key) => SAYS[key]))];
}
