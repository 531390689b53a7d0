// What the keys of a plan used: a chart, the figures beneath, and more for a key that ran out.
import { Button, Group, NumberInput, Select, SegmentedControl, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { call, path } from "../../api/client";
import type { Usage, UsagePlan } from "../../api/types";
import { useAct } from "../../parts/act";
import { Chart } from "../../parts/Chart";
import { awsCommand, Cli } from "../../parts/Cli";
import { Icon } from "../../parts/Icon";
import { Empty, Loading, Problem, Section } from "../../parts/Page";
import { Rows } from "../../parts/Rows";
import { duration, number, windowEnd } from "../../parts/words";
import { usePlanKeys } from "./Keys";
import { Dialog } from "../../parts/Dialog";

const DAY_MS = 86_400_000;
const RANGES = { "7": "7 days", "31": "31 days", "90": "90 days" } as const;

/** `2026-11-22`, in UTC. */
function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export function PlanUsage({ plan }: { plan: UsagePlan }) {
  const [days, setDays] = useState<keyof typeof RANGES>("7");
  const [only, setOnly] = useState<string | null>(null);
  const [extending, setExtending] = useState<string>();
  const keys = usePlanKeys(plan.id);
  const name = (id: string) => keys.data?.items.find((key) => key.id === id)?.name ?? id;
  const end = day(Date.now());
  const start = day(Date.now() - (Number(days) - 1) * DAY_MS);
  const usage = useQuery({
    queryKey: ["usage", plan.id, start, end],
    refetchInterval: 15_000,
    queryFn: ({ signal }) => wholeUsage(plan.id, start, end, signal),
  });
  const values = usage.data;
  const shown = useMemo(() => Object.entries(values ?? {}).filter(([id]) => !only || id === only), [values, only]);
  const times = useMemo(
    () => Array.from({ length: Number(days) }, (_, index) => (Date.parse(start) + index * DAY_MS) / 1000),
    [days, start],
  );
  const series = useMemo(
    () => [
      {
        label: "requests",
        colour: ["#0b7285", "#3bc9db"] as [string, string],
        values: times.map((_, index) => shown.reduce((sum, [, pairs]) => sum + (pairs[index]?.[0] ?? 0), 0)),
      },
    ],
    [times, shown],
  );
  const rows = shown
    .map(([id, pairs]) => ({ id, used: pairs.reduce((sum, pair) => sum + pair[0], 0), remaining: pairs.at(-1)?.[1] ?? 0 }))
    .sort((a, b) => b.used - a.used);
  if (usage.error) return <Problem error={usage.error} again={() => void usage.refetch()} />;
  return (
    <Section
      title="Usage"
      actions={
        <>
          <Button size="xs" variant="default" leftSection={<Icon name="download" />} onClick={() => save(`${plan.name}-usage.csv`, "text/csv", csv(start, shown, name))}>
            CSV
          </Button>
          <Button
            size="xs"
            variant="default"
            leftSection={<Icon name="download" />}
            onClick={() => save(`${plan.name}-usage.json`, "application/json", JSON.stringify({ usagePlanId: plan.id, startDate: start, endDate: end, values: Object.fromEntries(shown) }, null, 2))}
          >
            JSON
          </Button>
        </>
      }
    >
      <Stack>
        <Group>
          <SegmentedControl
            aria-label="Days shown"
            value={days}
            onChange={(value) => setDays(value as keyof typeof RANGES)}
            data={Object.entries(RANGES).map(([value, label]) => ({ value, label }))}
          />
          <Select
            aria-label="Key"
            placeholder="All keys"
            clearable
            searchable
            data={(keys.data?.items ?? []).slice(0, 2000).map((key) => ({ value: key.id, label: key.name ?? key.id }))}
            value={only}
            onChange={setOnly}
          />
        </Group>
        {!values ? (
          <Loading what="usage" />
        ) : rows.length === 0 ? (
          <Empty title="Nothing used in these days" text="Calls with a key of this plan are counted as soon as they are let through." />
        ) : (
          <>
            <Chart label={`Requests a day, ${start} to ${end}`} times={times} series={series} stacked />
            <details>
              <summary>Requests by day (UTC)</summary>
              <Table aria-label="Requests by day" maw={360}>
                <Table.Tbody>
                  {times.map((time, index) => (
                    <Table.Tr key={time}>
                      <Table.Td>{day(time * 1000)}</Table.Td>
                      <Table.Td className="number" ta="right">
                        {number(series[0]?.values[index] ?? 0)}
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </details>
            <Rows
              label="Usage by key"
              rows={rows}
              id={(row) => row.id}
              columns={[
                { label: "Key", width: "2fr", cell: (row) => name(row.id) },
                { label: `Used in ${RANGES[days]}`, width: "150px", cell: (row) => <span className="number">{number(row.used)}</span> },
                { label: "Left now", width: "130px", cell: (row) => <span className="number">{plan.quota ? number(row.remaining) : "unlimited"}</span> },
                {
                  label: "",
                  width: "110px",
                  cell: (row) =>
                    plan.quota && (
                      <Button size="compact-xs" variant="subtle" onClick={() => setExtending(row.id)} aria-label={`Extend ${name(row.id)}`}>
                        Extend
                      </Button>
                    ),
                },
              ]}
            />
          </>
        )}
        <Cli command={awsCommand("get-usage", { usagePlanId: plan.id, keyId: only ?? undefined, startDate: start, endDate: end })} />
      </Stack>
      <Extend
        key={extending}
        plan={plan}
        keyId={extending}
        name={extending ? name(extending) : ""}
        remaining={rows.find((row) => row.id === extending)?.remaining ?? 0}
        onClose={() => setExtending(undefined)}
      />
    </Section>
  );
}

/** All pages of GetUsage. */
async function wholeUsage(plan: string, startDate: string, endDate: string, signal: AbortSignal) {
  const values: Usage["values"] = {};
  let position: string | undefined;
  do {
    const query = { startDate, endDate, position, limit: 500 };
    const page: Usage = await call({ path: path`/usageplans/${plan}/usage`, query, signal });
    Object.assign(values, page.values);
    position = page.position;
  } while (position !== undefined);
  return values;
}

function Extend({
  plan,
  keyId,
  name,
  remaining,
  onClose,
}: {
  plan: UsagePlan;
  keyId: string | undefined;
  name: string;
  remaining: number;
  onClose: () => void;
}) {
  const [left, setLeft] = useState<number | string>(remaining);
  const operation = { op: "replace" as const, path: "/remaining", value: String(left) };
  const extend = useAct(async () => {
    await call({ method: "PATCH", path: path`/usageplans/${plan.id}/keys/${keyId ?? ""}/usage`, body: { patchOperations: [operation] } });
    onClose();
  }, "The key has what you gave it");
  const now = Date.now();
  const ends = plan.quota ? duration((windowEnd(plan.quota, now) - now) / 1000) : "";
  return (
    <Dialog opened={keyId !== undefined} onClose={onClose} title={`What ${name} has left`}>
      <Stack>
        <NumberInput
          label="Requests left in this window"
          description={`The window ends in ${ends}; the next begins with the plan's quota`}
          min={0}
          allowDecimal={false}
          thousandSeparator=","
          value={left}
          onChange={setLeft}
          data-autofocus
        />
        <Text size="sm" className="quiet">
          It has {number(remaining)} left now.
        </Text>
        {extend.error !== undefined && <Problem error={extend.error} />}
        <Cli command={awsCommand("update-usage", { usagePlanId: plan.id, keyId, patchOperations: [operation] })} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button loading={extend.busy} disabled={left === ""} onClick={() => void extend.run()}>
            Set
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}

/** A line for each key and day. */
function csv(start: string, values: [string, [number, number][]][], name: (id: string) => string): string {
  const lines = values.flatMap(([id, pairs]) =>
    pairs.map(([used, remaining], index) => [day(Date.parse(start) + index * DAY_MS), id, cell(name(id)), used, remaining].join(",")),
  );
  return ["Date,KeyId,Name,Used,Remaining", ...lines, ""].join("\r\n");
}

/** Quoted, and never a formula of a spreadsheet. */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

function save(name: string, type: string, content: string) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name.replaceAll(/[^\w.-]+/g, "-");
  link.click();
  URL.revokeObjectURL(link.href);
}
