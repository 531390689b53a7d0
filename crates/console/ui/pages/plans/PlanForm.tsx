// The fields of a plan, with what they mean for a caller underneath.
import { Group, NumberInput, Paper, Select, SimpleGrid, Stack, Switch, Text, Textarea, TextInput } from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";

import type { QuotaPeriod } from "../../api/types";
import { number, PERIODS, quotaInWords } from "../../parts/words";
import { type Limits, OFFSET_MAX } from "./limits";

const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

export function PlanFields({ form }: { form: UseFormReturnType<Limits> }) {
  const { values } = form;
  const offsets = Array.from({ length: OFFSET_MAX[values.period] + 1 }, (_, offset) => ({
    value: String(offset),
    label: values.period === "WEEK" ? (WEEKDAYS[offset] ?? "") : `day ${offset + 1} of the month`,
  }));
  return (
    <Stack>
      <TextInput label="Name" required data-autofocus {...form.getInputProps("name")} />
      <Textarea label="Description" autosize minRows={1} {...form.getInputProps("description")} />
      <Paper withBorder p="sm">
        <Switch
          label="Throttle"
          description="How fast each key may call"
          {...form.getInputProps("throttled", { type: "checkbox" })}
        />
        {values.throttled && (
          <SimpleGrid cols={2} mt="sm">
            <NumberInput label="Rate" description="Requests a second" min={0} decimalScale={6} required {...form.getInputProps("rate")} />
            <NumberInput label="Burst" description="Requests at once" min={0} allowDecimal={false} required {...form.getInputProps("burst")} />
          </SimpleGrid>
        )}
      </Paper>
      <Paper withBorder p="sm">
        <Switch
          label="Quota"
          description="How much each key may call in a period"
          {...form.getInputProps("metered", { type: "checkbox" })}
        />
        {values.metered && (
          <Group grow mt="sm" align="flex-start">
            <NumberInput label="Requests" min={0} allowDecimal={false} thousandSeparator="," required {...form.getInputProps("quota")} />
            <Select
              label="Period"
              allowDeselect={false}
              data={(Object.keys(PERIODS) as QuotaPeriod[]).map((period) => ({ value: period, label: `a ${PERIODS[period]}` }))}
              value={values.period}
              onChange={(period) => form.setValues({ period: (period ?? "MONTH") as QuotaPeriod, offset: 0 })}
            />
            {values.period !== "DAY" && (
              <Select
                label="Begins on"
                allowDeselect={false}
                data={offsets}
                value={String(values.offset)}
                error={form.errors["offset"]}
                onChange={(offset) => form.setFieldValue("offset", Number(offset ?? 0))}
              />
            )}
          </Group>
        )}
      </Paper>
      <Paper bg="var(--mantine-color-default-hover)" p="sm" role="status" aria-label="What this means">
        <Text size="sm">{meaning(values)}</Text>
      </Paper>
    </Stack>
  );
}

/** For a caller, in a sentence or two. */
function meaning(limits: Limits): string {
  const words: string[] = [];
  if (!limits.throttled) words.push("A key may call as fast as it likes.");
  else if (limits.rate === 0 || limits.burst === 0) words.push("Nothing passes: every call is answered 429.");
  else if (typeof limits.rate === "number" && typeof limits.burst === "number") {
    words.push(
      `After a pause a key may call ${number(limits.burst)} times at once, then ${number(limits.rate)} times a second; faster calls are answered 429 Too Many Requests.`,
    );
  }
  if (!limits.metered) words.push("There is no quota; usage is counted all the same.");
  else if (typeof limits.quota === "number") {
    const settings = { limit: limits.quota, period: limits.period, offset: Number(limits.offset) };
    words.push(`${quotaInWords(settings, Date.now())} (UTC); what comes beyond is answered 429 Limit Exceeded.`);
  }
  return words.join(" ");
}
