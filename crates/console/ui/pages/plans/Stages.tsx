// Where a plan holds: its stages, and the throttles of single methods there.
import { Anchor, Button, Group, NumberInput, Select, Stack, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { call, path } from "../../api/client";
import { useApis, useDeployedMethods, useStages } from "../../api/names";
import type { ApiStage, PatchOperation, UsagePlan } from "../../api/types";
import { Ask, useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Empty, Problem, Section } from "../../parts/Page";
import { throttle } from "../../parts/words";

function update(plan: UsagePlan, operations: PatchOperation[]) {
  return call({ method: "PATCH", path: path`/usageplans/${plan.id}`, body: { patchOperations: operations } });
}

export function PlanStages({ plan }: { plan: UsagePlan }) {
  const apis = useApis();
  const [api, setApi] = useState<string | null>(null);
  const [stage, setStage] = useState<string | null>(null);
  const stages = useStages(api ?? undefined);
  const [leaving, setLeaving] = useState<ApiStage>();
  const addition: PatchOperation = { op: "add", path: "/apiStages", value: `${api ?? "API"}:${stage ?? "STAGE"}` };
  const add = useAct(async () => {
    await update(plan, [addition]);
    setStage(null);
  }, "The plan covers the stage");
  const leave = useAct(
    () => update(plan, [{ op: "remove", path: "/apiStages", value: `${leaving?.apiId ?? ""}:${leaving?.stage ?? ""}` }]),
    "The plan covers the stage no longer",
  );
  const name = (id: string) => apis.data?.items.find((one) => one.id === id)?.name ?? id;
  const free = (stages.data?.item ?? []).filter((one) => !plan.apiStages.some((own) => own.apiId === api && own.stage === one.stageName));
  return (
    <Stack>
      <Section title="Add a stage">
        <Stack>
          <Group align="flex-end">
            <Select
              label="API"
              searchable
              data={(apis.data?.items ?? []).map((one) => ({ value: one.id, label: one.name }))}
              value={api}
              onChange={(value) => {
                setApi(value);
                setStage(null);
              }}
            />
            <Select label="Stage" data={free.map((one) => one.stageName)} value={stage} onChange={setStage} disabled={!api} />
            <Button disabled={!api || !stage} loading={add.busy} onClick={() => void add.run()}>
              Add stage
            </Button>
          </Group>
          {api && stages.data?.item.length === 0 && (
            <Text size="sm">This API has no stage yet: deploy it first.</Text>
          )}
          {add.error !== undefined && <Problem error={add.error} />}
          <Cli command={awsCommand("update-usage-plan", { usagePlanId: plan.id, patchOperations: [addition] })} />
        </Stack>
      </Section>
      {plan.apiStages.length === 0 && (
        <Empty title="No stages yet" text="Until a plan covers a stage, its keys open nothing." />
      )}
      {plan.apiStages.map((entry) => (
        <Section
          key={`${entry.apiId}:${entry.stage}`}
          title={`${name(entry.apiId)} / ${entry.stage}`}
          actions={
            <>
              <Anchor component={Link} to={`/apis/${entry.apiId}`} size="sm">
                The API
              </Anchor>
              <Button size="compact-xs" variant="subtle" color="red" onClick={() => setLeaving(entry)}>
                Remove
              </Button>
            </>
          }
        >
          <MethodThrottles plan={plan} entry={entry} />
        </Section>
      ))}
      <Ask
        opened={leaving !== undefined}
        onClose={() => setLeaving(undefined)}
        title={`Remove ${name(leaving?.apiId ?? "")} / ${leaving?.stage ?? ""}?`}
        confirm="Remove the stage"
        act={leave}
      >
        Keys of this plan are refused there with 403 from then on, unless another plan of theirs covers it. Its method
        throttles go with it.
      </Ask>
    </Stack>
  );
}

/** A method as plans name it: `/pets/{id}/GET`. */
function methodPath(entry: ApiStage, method: string): string {
  const cut = method.lastIndexOf("/");
  const resource = method.slice(0, cut).replaceAll("~", "~0").replaceAll("/", "~1");
  return `/apiStages/${entry.apiId}:${entry.stage}/throttle/${resource}/${method.slice(cut + 1)}`;
}

function MethodThrottles({ plan, entry }: { plan: UsagePlan; entry: ApiStage }) {
  const methods = useDeployedMethods(entry.apiId, entry.stage);
  const [method, setMethod] = useState<string | null>(null);
  const [rate, setRate] = useState<number | string>(1);
  const [burst, setBurst] = useState<number | string>(2);
  const at = methodPath(entry, method ?? "/PATH/METHOD");
  const operations: PatchOperation[] = [
    { op: "replace", path: `${at}/rateLimit`, value: String(rate) },
    { op: "replace", path: `${at}/burstLimit`, value: String(burst) },
  ];
  const set = useAct(async () => {
    await update(plan, operations);
    setMethod(null);
  }, "The method is throttled for each key");
  const clear = useAct((own: string) => update(plan, [{ op: "remove", path: methodPath(entry, own) }]), "The throttle is gone");
  const own = Object.entries(entry.throttle ?? {});
  return (
    <Stack>
      {own.length > 0 && (
        <Table aria-label="Method throttles">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Method</Table.Th>
              <Table.Th>Each key</Table.Th>
              <Table.Th w={90} aria-label="Actions" />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {own.map(([name, settings]) => (
              <Table.Tr key={name}>
                <Table.Td>
                  <code>{name}</code>
                </Table.Td>
                <Table.Td>{throttle(settings)}</Table.Td>
                <Table.Td>
                  <Button size="compact-xs" variant="subtle" color="red" loading={clear.busy} onClick={() => void clear.run(name)}>
                    Remove
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      <Group align="flex-end">
        <Select
          label="Throttle a method"
          description="Besides the plan's own throttle"
          searchable
          data={methods.data ?? []}
          value={method}
          onChange={setMethod}
        />
        <NumberInput label="Rate" description="a second" w={110} min={0} value={rate} onChange={setRate} />
        <NumberInput label="Burst" description="at once" w={110} min={0} allowDecimal={false} value={burst} onChange={setBurst} />
        <Button variant="default" disabled={!method || rate === "" || burst === ""} loading={set.busy} onClick={() => void set.run()}>
          Set
        </Button>
      </Group>
      {(set.error ?? clear.error) !== undefined && <Problem error={set.error ?? clear.error} />}
      {method && <Cli command={awsCommand("update-usage-plan", { usagePlanId: plan.id, patchOperations: operations })} />}
    </Stack>
  );
}
