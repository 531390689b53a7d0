// Usage plans: what each allows, and where.
import { Anchor, Button, Group, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";

import { call } from "../../api/client";
import { useApis, usePlans } from "../../api/names";
import type { UsagePlan } from "../../api/types";
import { useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Icon } from "../../parts/Icon";
import { Empty, Loading, Page, Problem } from "../../parts/Page";
import { Rows } from "../../parts/Rows";
import { quota, throttle } from "../../parts/words";
import { body, FRESH, type Limits, problems } from "./limits";
import { PlanFields } from "./PlanForm";
import { Dialog } from "../../parts/Dialog";

const route = getRouteApi("/plans");

export function PlanList() {
  const { find } = route.useSearch();
  const navigate = route.useNavigate();
  const plans = usePlans();
  const apis = useApis();
  const [creating, create] = useDisclosure();
  const apiName = (id: string) => apis.data?.items.find((api) => api.id === id)?.name ?? id;
  const wanted = (find ?? "").toLowerCase();
  const shown = (plans.data?.items ?? []).filter((plan) => `${plan.name} ${plan.id}`.toLowerCase().includes(wanted));
  const creator = (
    <Button onClick={create.open} leftSection={<Icon name="plus" />}>
      Create plan
    </Button>
  );
  return (
    <Page
      title="Usage plans"
      intro="What a customer gets: how fast and how much each key of the plan may call, at which stages."
      actions={creator}
    >
      <TextInput
        aria-label="Find plans"
        placeholder="Name or id"
        leftSection={<Icon name="search" />}
        maw={360}
        defaultValue={find ?? ""}
        onChange={(event) => {
          const text = event.currentTarget.value;
          void navigate({ search: text ? { find: text } : {}, replace: true });
        }}
      />
      {plans.error ? (
        <Problem error={plans.error} again={() => void plans.refetch()} />
      ) : !plans.data ? (
        <Loading what="plans" />
      ) : shown.length === 0 ? (
        <Empty
          title={find ? "No plan has that name or id" : "No usage plans yet"}
          text={find ? "Look for less of it." : "Without a plan no key opens anything: make one, give it a stage and put keys into it."}
          action={find ? undefined : creator}
        />
      ) : (
        <Rows
          label="Usage plans"
          rows={shown}
          id={(plan) => plan.id}
          columns={[
            {
              label: "Name",
              width: "2fr",
              cell: (plan) => (
                <Anchor component={Link} to={`/plans/${plan.id}`} size="sm">
                  {plan.name}
                </Anchor>
              ),
            },
            { label: "Throttle", width: "2fr", cell: (plan) => throttle(plan.throttle) },
            { label: "Quota", width: "1fr", cell: (plan) => quota(plan.quota) },
            {
              label: "Stages",
              width: "2fr",
              cell: (plan) => plan.apiStages.map((stage) => `${apiName(stage.apiId)} / ${stage.stage}`).join(", ") || "none",
            },
          ]}
        />
      )}
      <CreatePlan opened={creating} onClose={create.close} />
    </Page>
  );
}

function CreatePlan({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const navigate = useNavigate();
  const form = useForm<Limits>({ initialValues: FRESH, validate: problems });
  const create = useAct(async () => {
    const plan = await call<UsagePlan>({ method: "POST", path: "/usageplans", body: body(form.values) });
    form.reset();
    onClose();
    await navigate({ to: `/plans/${plan.id}` });
  }, "The plan is made: give it a stage and keys");
  const { name, description, throttle, quota } = body(form.values);
  return (
    <Dialog opened={opened} onClose={onClose} title="Create usage plan" size="lg" closeOnClickOutside={false}>
      <form onSubmit={form.onSubmit(() => void create.run())}>
        <Stack>
          <PlanFields form={form} />
          {create.error !== undefined && <Problem error={create.error} />}
          <Cli command={awsCommand("create-usage-plan", { name, description, throttle, quota })} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={create.busy}>
              Create plan
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
