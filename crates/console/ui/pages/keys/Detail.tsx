// One key: its value, its plans, what it may and what it used; enabling, editing, deleting.
import { Anchor, Badge, Button, Group, Select, SimpleGrid, Stack, Switch, Table, Text, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { call, path } from "../../api/client";
import { useKeyPlans, usePlans } from "../../api/names";
import type { ApiKey, PatchOperation, UsagePlan } from "../../api/types";
import { Ask, Changed, useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Icon } from "../../parts/Icon";
import { Loading, Page, Problem, Section } from "../../parts/Page";
import { Secret } from "../../parts/Secret";
import { Time } from "../../parts/Time";
import { quotaInWords, throttle } from "../../parts/words";
import { Dialog } from "../../parts/Dialog";

const route = getRouteApi("/keys/$key");

export function KeyDetail() {
  const { key: id } = route.useParams();
  const key = useQuery({ queryKey: ["key", id], queryFn: ({ signal }) => call<ApiKey>({ path: path`/apikeys/${id}`, signal }) });
  const crumbs = [{ label: "API keys", to: "/keys" }];
  if (key.error) {
    return (
      <Page title="API key" crumbs={crumbs}>
        <Problem error={key.error} again={() => void key.refetch()} />
      </Page>
    );
  }
  if (!key.data) return <Loading what="the key" />;
  return <Filled stored={key.data} crumbs={crumbs} />;
}

function Filled({ stored, crumbs }: { stored: ApiKey; crumbs: { label: string; to: string }[] }) {
  const [editing, edit] = useDisclosure();
  const [deleting, ask] = useDisclosure();
  const navigate = useNavigate();
  const plans = useKeyPlans(stored.id);
  const remove = useAct(async () => {
    await call({ method: "DELETE", path: path`/apikeys/${stored.id}` });
    await navigate({ to: "/keys" });
  }, "The key is deleted");
  const enabled = !stored.enabled;
  const patch = patchOf("/enabled", String(enabled));
  const enable = useAct(
    () => call({ method: "PATCH", path: path`/apikeys/${stored.id}`, body: { patchOperations: [patch] } }),
    enabled ? "The key is enabled" : "The key is disabled: its next call is refused",
  );
  const breaks = plans.data?.items ?? [];
  return (
    <Page
      title={stored.name ?? stored.id}
      crumbs={crumbs}
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
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Section title="Key">
          <Stack gap="sm">
            <Switch
              label={stored.enabled ? "Enabled" : "Disabled: every call with it is refused"}
              checked={stored.enabled}
              disabled={enable.busy}
              onChange={() => void enable.run()}
            />
            {enable.error !== undefined && <Problem error={enable.error} />}
            <Table variant="vertical" layout="fixed" aria-label="The key">
              <Table.Tbody>
                <Fact name="Id">
                  <code>{stored.id}</code>
                </Fact>
                <Fact name="Value">
                  <Value id={stored.id} />
                </Fact>
                {stored.description && <Fact name="Description">{stored.description}</Fact>}
                {stored.customerId && <Fact name="Customer id">{stored.customerId}</Fact>}
                <Fact name="Created">
                  <Time at={stored.createdDate} />
                </Fact>
                <Fact name="Changed">
                  <Time at={stored.lastUpdatedDate} />
                </Fact>
                {Object.entries(stored.tags ?? {}).map(([name, value]) => (
                  <Fact key={name} name={`Tag ${name}`}>
                    {value}
                  </Fact>
                ))}
              </Table.Tbody>
            </Table>
            <Cli command={awsCommand("update-api-key", { apiKey: stored.id, patchOperations: [patch] })} />
          </Stack>
        </Section>
        <Plans keyId={stored.id} />
      </SimpleGrid>
      <EditKey stored={stored} opened={editing} onClose={edit.close} />
      <Ask opened={deleting} onClose={ask.close} title={`Delete ${stored.name ?? stored.id}?`} confirm="Delete the key" act={remove}>
        <Text size="sm">
          Every call with it is refused from then on, and its value cannot be had again.
          {breaks.length > 0 && ` It is in ${breaks.map((plan) => plan.name).join(", ")}; what it used there is forgotten with it.`}
        </Text>
        <Cli command={awsCommand("delete-api-key", { apiKey: stored.id })} />
      </Ask>
    </Page>
  );
}

function patchOf(target: string, value: string): PatchOperation {
  return { op: "replace", path: target, value };
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <Table.Tr>
      <Table.Th w={130}>{name}</Table.Th>
      <Table.Td>{children}</Table.Td>
    </Table.Tr>
  );
}

/** The value is fetched when it is asked for, and forgotten with the page. */
function Value({ id }: { id: string }) {
  const [asked, setAsked] = useState(false);
  const value = useQuery({
    queryKey: ["key-value", id],
    enabled: asked,
    gcTime: 0,
    queryFn: ({ signal }) => call<ApiKey>({ path: path`/apikeys/${id}`, query: { includeValue: true }, signal }),
  });
  if (!asked) {
    return (
      <Button size="compact-xs" variant="default" onClick={() => setAsked(true)}>
        Show
      </Button>
    );
  }
  if (value.error) return <Text size="sm">{value.error.message}</Text>;
  if (!value.data) return <Text size="sm">…</Text>;
  if (!value.data.value) return <Text size="sm">Not kept: this gateway reveals values only once.</Text>;
  return <Secret value={value.data.value} what="the value" shown />;
}

/** The plans of the key, and a way into and out of them. */
function Plans({ keyId }: { keyId: string }) {
  const own = useKeyPlans(keyId);
  const all = usePlans();
  const [chosen, setChosen] = useState<string | null>(null);
  const [leaving, setLeaving] = useState<UsagePlan>();
  const add = useAct(async () => {
    const plan = chosen ?? "";
    await call({ method: "POST", path: path`/usageplans/${plan}/keys`, body: { keyId, keyType: "API_KEY" } });
    setChosen(null);
  }, "The key is in the plan");
  const leave = useAct(
    () => call({ method: "DELETE", path: path`/usageplans/${leaving?.id ?? ""}/keys/${keyId}` }),
    "The key is out of the plan",
  );
  const items = own.data?.items ?? [];
  const others = (all.data?.items ?? []).filter((plan) => !items.some((one) => one.id === plan.id));
  const now = Date.now();
  return (
    <Section title="Usage plans">
      {own.error && <Problem error={own.error} />}
      {own.data && items.length === 0 && (
        <Text size="sm" mb="sm">
          In no plan: methods that require a key refuse it with 403.
        </Text>
      )}
      <Stack gap="sm">
        {items.map((plan) => (
          <Group key={plan.id} justify="space-between" wrap="nowrap" align="flex-start">
            <div>
              <Anchor component={Link} to={`/plans/${plan.id}`}>
                {plan.name}
              </Anchor>{" "}
              <Badge variant="light" size="sm">
                {plan.apiStages.length === 1 ? "1 stage" : `${plan.apiStages.length} stages`}
              </Badge>
              <Text size="xs" className="quiet">
                {throttle(plan.throttle)}; {plan.quota ? quotaInWords(plan.quota, now) : "no quota"}
              </Text>
            </div>
            <Button size="compact-xs" variant="subtle" color="red" onClick={() => setLeaving(plan)}>
              Remove
            </Button>
          </Group>
        ))}
        <Group align="flex-end">
          <Select
            label="Add to a plan"
            placeholder="Choose a plan"
            searchable
            data={others.map((plan) => ({ value: plan.id, label: plan.name }))}
            value={chosen}
            onChange={setChosen}
            style={{ flex: 1 }}
          />
          <Button disabled={!chosen} loading={add.busy} onClick={() => void add.run()}>
            Add
          </Button>
        </Group>
        {add.error !== undefined && <Problem error={add.error} />}
        <Cli command={awsCommand("create-usage-plan-key", { usagePlanId: chosen ?? "PLAN", keyId, keyType: "API_KEY" })} />
      </Stack>
      <Ask
        opened={leaving !== undefined}
        onClose={() => setLeaving(undefined)}
        title={`Remove the key from ${leaving?.name ?? ""}?`}
        confirm="Remove from the plan"
        act={leave}
      >
        Its calls to the stages of this plan are refused with 403 from then on. What it used is kept: a return does not
        begin a new quota.
      </Ask>
    </Section>
  );
}

const EDITED = ["name", "description", "customerId"] as const;

/** Saves only what was changed, and only if nobody else changed the same meanwhile. */
function EditKey({ stored, opened, onClose }: { stored: ApiKey; opened: boolean; onClose: () => void }) {
  const of = (key: ApiKey) => ({ name: key.name ?? "", description: key.description ?? "", customerId: key.customerId ?? "" });
  const [base, setBase] = useState(of(stored));
  const [theirs, setTheirs] = useState<ApiKey>();
  const form = useForm({ initialValues: base });
  const changed = EDITED.filter((name) => form.values[name] !== base[name]);
  const patch = changed.map((name) => patchOf(`/${name}`, form.values[name]));
  const save = useAct(async () => {
    const now = await call<ApiKey>({ path: path`/apikeys/${stored.id}` });
    const meanwhile = EDITED.filter((name) => of(now)[name] !== base[name]);
    if (meanwhile.length > 0) {
      setTheirs(now);
      setBase(of(now));
      return false;
    }
    await call({ method: "PATCH", path: path`/apikeys/${stored.id}`, body: { patchOperations: patch } });
    setTheirs(undefined);
    onClose();
    return true;
  }, (saved) => (saved ? "Saved" : undefined));
  const take = () => {
    if (theirs) form.setValues(of(theirs));
    setTheirs(undefined);
  };
  const fields = theirs ? EDITED.filter((name) => of(theirs)[name] !== of(stored)[name]) : [];
  return (
    <Dialog opened={opened} onClose={onClose} title="Edit key" closeOnClickOutside={false}>
      <form onSubmit={form.onSubmit(() => void save.run())}>
        <Stack>
          <TextInput label="Name" data-autofocus maxLength={1024} {...form.getInputProps("name")} />
          <Textarea label="Description" autosize minRows={2} {...form.getInputProps("description")} />
          <TextInput label="Customer id" {...form.getInputProps("customerId")} />
          {theirs && <Changed fields={[...fields]} onTake={take} />}
          {save.error !== undefined && <Problem error={save.error} />}
          <Cli command={awsCommand("update-api-key", { apiKey: stored.id, patchOperations: patch })} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.busy} disabled={patch.length === 0}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
