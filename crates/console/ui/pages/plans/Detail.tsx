// One plan: its limits, where it holds, whose keys it has, and what they used.
import { Button, Group, Stack, Table, Tabs, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { call, path } from "../../api/client";
import type { UsagePlan } from "../../api/types";
import { Ask, Changed, useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Icon } from "../../parts/Icon";
import { Loading, Page, Problem, Section } from "../../parts/Page";
import { quotaInWords, throttle } from "../../parts/words";
import { PlanKeys } from "./Keys";
import { differences, type Limits, limitsOf, patch, problems } from "./limits";
import { PlanFields } from "./PlanForm";
import { PlanStages } from "./Stages";
import { PlanUsage } from "./Usage";
import { Dialog } from "../../parts/Dialog";

const route = getRouteApi("/plans/$plan");
const TABS = { stages: "Stages", keys: "Keys", usage: "Usage" } as const;
type Tab = keyof typeof TABS;

export function PlanDetail() {
  const { plan: id } = route.useParams();
  const plan = useQuery({ queryKey: ["plan", id], queryFn: ({ signal }) => call<UsagePlan>({ path: path`/usageplans/${id}`, signal }) });
  const crumbs = [{ label: "Usage plans", to: "/plans" }];
  if (plan.error) {
    return (
      <Page title="Usage plan" crumbs={crumbs}>
        <Problem error={plan.error} again={() => void plan.refetch()} />
      </Page>
    );
  }
  if (!plan.data) return <Loading what="the plan" />;
  return <Filled plan={plan.data} crumbs={crumbs} />;
}

function Filled({ plan, crumbs }: { plan: UsagePlan; crumbs: { label: string; to: string }[] }) {
  const { tab } = route.useSearch();
  const navigate = useNavigate();
  const go = route.useNavigate();
  const [editing, edit] = useDisclosure();
  const [deleting, ask] = useDisclosure();
  const remove = useAct(async () => {
    await call({ method: "DELETE", path: path`/usageplans/${plan.id}` });
    await navigate({ to: "/plans" });
  }, "The plan is deleted");
  return (
    <Page
      title={plan.name}
      crumbs={crumbs}
      intro={plan.description}
      actions={
        <>
          <Button variant="default" onClick={edit.open} leftSection={<Icon name="edit" />}>
            Edit
          </Button>
          <Button variant="default" color="red" onClick={ask.open} leftSection={<Icon name="trash" />}>
            Delete
          </Button>
        </>
      }
    >
      <Section title="Limits of each key">
        <Table variant="vertical" aria-label="Limits">
          <Table.Tbody>
            <Table.Tr>
              <Table.Th w={130}>Throttle</Table.Th>
              <Table.Td>{throttle(plan.throttle)}</Table.Td>
            </Table.Tr>
            <Table.Tr>
              <Table.Th>Quota</Table.Th>
              <Table.Td>{plan.quota ? quotaInWords(plan.quota, Date.now()) : "unlimited"}</Table.Td>
            </Table.Tr>
            <Table.Tr>
              <Table.Th>Id</Table.Th>
              <Table.Td>
                <code>{plan.id}</code>
              </Table.Td>
            </Table.Tr>
          </Table.Tbody>
        </Table>
      </Section>
      <Tabs
        value={tab ?? "stages"}
        onChange={(chosen) => void go({ search: chosen && chosen !== "stages" ? { tab: chosen } : {}, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {(Object.keys(TABS) as Tab[]).map((name) => (
            <Tabs.Tab key={name} value={name}>
              {TABS[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="stages">
          <PlanStages plan={plan} />
        </Tabs.Panel>
        <Tabs.Panel value="keys">
          <PlanKeys plan={plan} />
        </Tabs.Panel>
        <Tabs.Panel value="usage">
          <PlanUsage plan={plan} />
        </Tabs.Panel>
      </Tabs>
      <EditPlan plan={plan} opened={editing} onClose={edit.close} />
      <Ask opened={deleting} onClose={ask.close} title={`Delete ${plan.name}?`} confirm="Delete the plan" act={remove}>
        <Text size="sm">
          Its keys are in one plan less: where no other plan of theirs covers a stage, they are refused with 403. What they
          used is forgotten. A plan that still has stages cannot be deleted; remove them first.
        </Text>
        <Cli command={awsCommand("delete-usage-plan", { usagePlanId: plan.id })} />
      </Ask>
    </Page>
  );
}

/** Saves only what was changed, and nothing over what somebody else changed meanwhile without asking. */
function EditPlan({ plan, opened, onClose }: { plan: UsagePlan; opened: boolean; onClose: () => void }) {
  return (
    <Dialog opened={opened} onClose={onClose} title="Edit usage plan" size="lg" closeOnClickOutside={false}>
      {opened && <EditForm plan={plan} onClose={onClose} />}
    </Dialog>
  );
}

function EditForm({ plan, onClose }: { plan: UsagePlan; onClose: () => void }) {
  const [base, setBase] = useState(() => limitsOf(plan));
  const [theirs, setTheirs] = useState<{ limits: Limits; fields: string[] }>();
  const form = useForm<Limits>({ initialValues: base, validate: problems });
  const operations = patch(base, form.values);
  const save = useAct(
    async () => {
      const now = limitsOf(await call<UsagePlan>({ path: path`/usageplans/${plan.id}` }));
      const fields = differences(base, now);
      if (fields.length > 0) {
        setTheirs({ limits: now, fields });
        setBase(now);
        return false;
      }
      await call({ method: "PATCH", path: path`/usageplans/${plan.id}`, body: { patchOperations: operations } });
      onClose();
      return true;
    },
    (saved) => (saved ? "Saved, and in force for the next call" : undefined),
  );
  return (
    <form onSubmit={form.onSubmit(() => void save.run())}>
      <Stack>
        <PlanFields form={form} />
        {theirs && (
          <Changed
            fields={theirs.fields}
            onTake={() => {
              form.setValues(theirs.limits);
              setTheirs(undefined);
            }}
          />
        )}
        {save.error !== undefined && <Problem error={save.error} />}
        <Cli command={awsCommand("update-usage-plan", { usagePlanId: plan.id, patchOperations: operations })} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={save.busy} disabled={operations.length === 0}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
