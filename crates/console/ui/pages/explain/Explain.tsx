// Why would this call get a 403 or 429: the chain from the key to the limits, and what each says now.
import { Alert, Badge, Button, Group, Select, SimpleGrid, Stack, Table, Text, TextInput, ThemeIcon, Timeline } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect } from "react";

import { call } from "../../api/client";
import { useApis, useKey, usePlans, useStages } from "../../api/names";
import type { Explanation, LimitNow } from "../../api/types";
import { Icon } from "../../parts/Icon";
import { KeyPicker } from "../../parts/KeyPicker";
import { Page, Problem, Section } from "../../parts/Page";
import { Time } from "../../parts/Time";
import { duration, number, quota, throttle } from "../../parts/words";

const route = getRouteApi("/explain");

export interface Question {
  api?: string;
  stage?: string;
  method?: string;
  path?: string;
  key?: string;
}

const VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

const LIMITS: Record<string, string> = {
  "plan-method-throttle": "Plan's throttle of the method",
  "plan-throttle": "Plan's throttle",
  "stage-method-throttle": "Stage's throttle, all callers",
  "account-throttle": "Throttle of the whole gateway",
  quota: "Plan's quota",
};

export function Explain() {
  const asked = route.useSearch();
  const navigate = route.useNavigate();
  const apis = useApis();
  const stages = useStages(asked.api);
  const key = useKey(asked.key);
  const plans = usePlans();
  const set = (change: Question) =>
    void navigate({
      search: Object.fromEntries(Object.entries({ ...asked, ...change }).filter(([, value]) => value)) as Question,
      replace: true,
    });
  const explain = useMutation({
    mutationFn: () =>
      call<Explanation>({
        method: "POST",
        path: "/tollgate/explain",
        body: { restApiId: asked.api, stageName: asked.stage, httpMethod: asked.method ?? "GET", path: asked.path ?? "/", keyId: asked.key },
      }),
  });
  const complete = Boolean(asked.api && asked.stage);
  const { mutate, reset } = explain;
  // An address that asks a whole question is answered at once; a changed question has no answer yet.
  useEffect(() => {
    if (complete) mutate();
    else reset();
  }, [complete, asked.api, asked.stage, asked.method, asked.path, asked.key, mutate, reset]);
  const told = explain.data;
  const planName = plans.data?.items.find((plan) => plan.id === told?.usagePlanId)?.name;
  return (
    <Page title="Explain" intro="What the next call of a key to a method would get, and why. Asking takes nothing from any limit.">
      <Section title="The call">
        <Stack>
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <Select
              label="API"
              searchable
              data={(apis.data?.items ?? []).map((api) => ({ value: api.id, label: api.name }))}
              value={asked.api ?? null}
              onChange={(api) => set({ api: api ?? "", stage: "" })}
            />
            <Select
              label="Stage"
              disabled={!asked.api}
              data={(stages.data?.item ?? []).map((stage) => stage.stageName)}
              value={asked.stage ?? null}
              onChange={(stage) => set({ stage: stage ?? "" })}
            />
            <Group grow preventGrowOverflow={false} wrap="nowrap">
              <Select label="Method" w={120} allowDeselect={false} data={VERBS} value={asked.method ?? "GET"} onChange={(method) => set({ method: method ?? "" })} />
              <TextInput label="Path below the stage" value={asked.path ?? ""} placeholder="/" onChange={(event) => set({ path: event.currentTarget.value })} />
            </Group>
            <KeyPicker label="Key" description="None: a call without a key" value={asked.key} onChange={(id) => set({ key: id ?? "" })} />
          </SimpleGrid>
          <Group>
            <Button disabled={!complete} loading={explain.isPending} onClick={() => explain.mutate()}>
              Ask again
            </Button>
          </Group>
        </Stack>
      </Section>
      {explain.error && <Problem error={explain.error} />}
      {told && (
        <div role="status">
          <Stack gap="lg">
            <Verdict told={told} who={key.data?.name ?? asked.key} />
            <SimpleGrid cols={{ base: 1, md: 2 }}>
              <Section title="The chain">
                <Timeline active={told.steps.length} bulletSize={22} lineWidth={2}>
                  {told.steps.map((step) => (
                    <Timeline.Item
                      key={step.step}
                      bullet={
                        <ThemeIcon size={22} radius="xl" color={step.passed ? "teal" : "red"}>
                          <Icon name={step.passed ? "check" : "cross"} size={13} />
                        </ThemeIcon>
                      }
                      title={`${step.step[0]?.toUpperCase()}${step.step.slice(1)}${step.passed ? "" : ": no"}`}
                    >
                      <Text size="sm">{step.text}</Text>
                    </Timeline.Item>
                  ))}
                </Timeline>
                {planName && (
                  <Text size="sm" mt="sm">
                    Counted under the plan {planName}.
                  </Text>
                )}
              </Section>
              <Section title="The limits">
                {told.limits.length === 0 ? (
                  <Text size="sm">No limit is asked for this call.</Text>
                ) : (
                  <Stack gap="md">
                    {told.limits.map((limit) => (
                      <Limit key={limit.limit} limit={limit} />
                    ))}
                  </Stack>
                )}
              </Section>
            </SimpleGrid>
          </Stack>
        </div>
      )}
    </Page>
  );
}

function Verdict({ told, who }: { told: Explanation; who: string | undefined }) {
  const { outcome, status, reason, retryAfterS } = told.verdict;
  const caller = who ? `of ${who}` : "without a key";
  if (outcome === "passes") {
    return (
      <Alert color="teal" title="It passes" icon={<Icon name="check" />}>
        The next such call {caller} is let through.
      </Alert>
    );
  }
  return (
    <Alert color="red" title={`${status}: refused`} icon={<Icon name="cross" />}>
      The next such call {caller} is refused with {status} ({reason}).
      {retryAfterS !== undefined && ` It would pass in ${duration(retryAfterS)}.`}
    </Alert>
  );
}

function Limit({ limit }: { limit: LimitNow }) {
  const allows =
    limit.quotaLimit === undefined
      ? throttle({ ...(limit.rateLimit !== undefined && { rateLimit: limit.rateLimit }), ...(limit.burstLimit !== undefined && { burstLimit: limit.burstLimit }) })
      : quota({ limit: limit.quotaLimit, offset: 0, period: limit.period ?? "DAY" });
  const left = limit.quotaLimit === undefined ? limit.available : limit.remaining;
  return (
    <div>
      <Group justify="space-between">
        <Text fw={600} size="sm">
          {LIMITS[limit.limit] ?? limit.limit}
        </Text>
        <Badge color={limit.passed ? "teal" : "red"} variant="light">
          {limit.passed ? "passes" : "refuses"}
        </Badge>
      </Group>
      <Table variant="vertical" mt={4} aria-label={LIMITS[limit.limit] ?? limit.limit}>
        <Table.Tbody>
          <Table.Tr>
            <Table.Th w={110}>Allows</Table.Th>
            <Table.Td>{allows}</Table.Td>
          </Table.Tr>
          {left !== undefined && (
            <Table.Tr>
              <Table.Th>Left now</Table.Th>
              <Table.Td className="number">{number(left)}</Table.Td>
            </Table.Tr>
          )}
          {limit.resetsAt !== undefined && (
            <Table.Tr>
              <Table.Th>Resets</Table.Th>
              <Table.Td>
                <Time at={limit.resetsAt} />
              </Table.Td>
            </Table.Tr>
          )}
          {limit.retryAfterS !== undefined && (
            <Table.Tr>
              <Table.Th>Passes in</Table.Th>
              <Table.Td>{duration(limit.retryAfterS)}</Table.Td>
            </Table.Tr>
          )}
        </Table.Tbody>
      </Table>
    </div>
  );
}
