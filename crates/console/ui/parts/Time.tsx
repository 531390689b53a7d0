// A moment in the reader's own zone; UTC when it is pointed at or read out.
import { Text, Tooltip } from "@mantine/core";

import type { Timestamp } from "../api/types";

const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** `2026-11-22 14:05:09 UTC` */
export function utc(at: Timestamp): string {
  return `${new Date(at * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

export function Time({ at }: { at: Timestamp }) {
  return (
    <Tooltip label={utc(at)} events={{ hover: true, focus: true, touch: true }}>
      <Text component="time" inherit dateTime={new Date(at * 1000).toISOString()} tabIndex={0} aria-label={utc(at)}>
        {LOCAL.format(at * 1000)}
      </Text>
    </Tooltip>
  );
}
