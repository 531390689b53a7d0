// Numbers and limits in words, the same everywhere.
import type { QuotaPeriod, QuotaSettings, ThrottleSettings } from "../api/types";

const NUMBER = new Intl.NumberFormat();

export function number(value: number): string {
  return NUMBER.format(value);
}

/** `5 h 12 min`: the two largest units. */
export function duration(seconds: number): string {
  const units: [number, string][] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const parts: string[] = [];
  let rest = Math.max(0, Math.ceil(seconds));
  for (const [size, name] of units) {
    if (rest >= size) {
      parts.push(`${Math.floor(rest / size)} ${name}`);
      rest %= size;
    }
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

export const PERIODS: Record<QuotaPeriod, string> = { DAY: "day", WEEK: "week", MONTH: "month" };

/** `20 a day` */
export function quota(settings: QuotaSettings | undefined): string {
  return settings ? `${number(settings.limit)} a ${PERIODS[settings.period]}` : "unlimited";
}

/** `2.5 a second, up to 10 at once` */
export function throttle(settings: ThrottleSettings | undefined): string {
  const { rateLimit, burstLimit } = settings ?? {};
  if (rateLimit === undefined && burstLimit === undefined) return "unlimited";
  if (rateLimit === 0 || burstLimit === 0) return "nothing passes";
  if (rateLimit === undefined || burstLimit === undefined) return "unlimited";
  return `${number(rateLimit)} a second, up to ${number(burstLimit)} at once`;
}

/** Milliseconds since 1970 at which the window that is open now ends; windows are counted in UTC. */
export function windowEnd(settings: QuotaSettings, nowMs: number): number {
  const now = new Date(nowMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  switch (settings.period) {
    case "DAY":
      return Date.UTC(year, month, day + 1);
    case "WEEK":
      return Date.UTC(year, month, day + 7 - ((now.getUTCDay() - settings.offset + 7) % 7));
    case "MONTH": {
      const first = settings.offset + 1;
      return Date.UTC(year, day >= first ? month + 1 : month, first);
    }
  }
}

/** What a quota means for a caller: `20 a day, resets in 5 h 12 min`. */
export function quotaInWords(settings: QuotaSettings, nowMs: number): string {
  return `${quota(settings)}, resets in ${duration((windowEnd(settings, nowMs) - nowMs) / 1000)}`;
}
