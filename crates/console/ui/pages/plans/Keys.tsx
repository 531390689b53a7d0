// The keys of a plan: put in, made, taken out.
import { Anchor, Button, Group, Stack, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { call, path } from "../../api/client";
import { ITEMS_MAX, whole } from "../../api/lists";
import type { UsagePlan, UsagePlanKey } from "../../api/types";
import { Ask, useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Icon } from "../../parts/Icon";
import { KeyPicker } from "../../parts/KeyPicker";
import { Empty, Loading, Problem, Section } from "../../parts/Page";
import { Rows } from "../../parts/Rows";
import { number } from "../../parts/words";
import { CreateKey } from "../keys/Create";

/** The keys of a plan, without their values. */
export function usePlanKeys(plan: string) {
  return useQuery({
    queryKey: ["plan-keys", plan],
    queryFn: ({ signal }) => whole<UsagePlanKey>(path`/usageplans/${plan}/keys`, {}, signal),
  });
}

export function PlanKeys({ plan }: { plan: UsagePlan }) {
  const keys = usePlanKeys(plan.id);
  const [find, setFind] = useState("");
  const [chosen, setChosen] = useState<string>();
  const [leaving, setLeaving] = useState<UsagePlanKey>();
  const [creating, create] = useDisclosure();
  const add = useAct(async () => {
    await call({ method: "POST", path: path`/usageplans/${plan.id}/keys`, body: { keyId: chosen, keyType: "API_KEY" } });
    setChosen(undefined);
  }, "The key is in the plan");
  const leave = useAct(
    () => call({ method: "DELETE", path: path`/usageplans/${plan.id}/keys/${leaving?.id ?? ""}` }),
    "The key is out of the plan",
  );
  const wanted = find.toLowerCase();
  const shown = (keys.data?.items ?? []).filter((key) => `${key.name ?? ""} ${key.id}`.toLowerCase().includes(wanted));
  return (
    <Section
      title="Keys"
      actions={
        <Button size="xs" variant="default" leftSection={<Icon name="plus" />} onClick={create.open}>
          Create key
        </Button>
      }
    >
      <Stack>
        <Group align="flex-end">
          <div style={{ flex: 1, maxWidth: 420 }}>
            <KeyPicker label="Add a key" value={chosen} onChange={setChosen} />
          </div>
          <Button disabled={!chosen} loading={add.busy} onClick={() => void add.run()}>
            Add
          </Button>
        </Group>
        {add.error !== undefined && <Problem error={add.error} />}
        <Cli command={awsCommand("create-usage-plan-key", { usagePlanId: plan.id, keyId: chosen ?? "KEY", keyType: "API_KEY" })} />
        {keys.error ? (
          <Problem error={keys.error} again={() => void keys.refetch()} />
        ) : !keys.data ? (
          <Loading what="the plan's keys" />
        ) : keys.data.items.length === 0 ? (
          <Empty title="No keys in this plan" text="Add one that exists, or make one for a new customer." />
        ) : (
          <>
            <TextInput
              aria-label="Find keys of the plan"
              placeholder="Name or id"
              leftSection={<Icon name="search" />}
              maw={360}
              value={find}
              onChange={(event) => setFind(event.currentTarget.value)}
            />
            <Rows
              label="Keys of the plan"
              rows={shown}
              id={(key) => key.id}
              columns={[
                {
                  label: "Name",
                  width: "2fr",
                  cell: (key) => (
                    <Anchor component={Link} to={`/keys/${key.id}`} size="sm">
                      {key.name ?? key.id}
                    </Anchor>
                  ),
                },
                { label: "Id", width: "140px", cell: (key) => <code>{key.id}</code> },
                {
                  label: "",
                  width: "110px",
                  cell: (key) => (
                    <Button size="compact-xs" variant="subtle" color="red" onClick={() => setLeaving(key)} aria-label={`Remove ${key.name ?? key.id}`}>
                      Remove
                    </Button>
                  ),
                },
              ]}
            />
            {keys.data.more && <span className="quiet">The first {number(ITEMS_MAX)} keys.</span>}
          </>
        )}
      </Stack>
      <CreateKey opened={creating} onClose={create.close} plan={plan.id} />
      <Ask
        opened={leaving !== undefined}
        onClose={() => setLeaving(undefined)}
        title={`Remove ${leaving?.name ?? "the key"} from ${plan.name}?`}
        confirm="Remove from the plan"
        act={leave}
      >
        Its calls to the stages of this plan are refused with 403 from then on. What it used is kept: a return does not
        begin a new quota.
      </Ask>
    </Section>
  );
}
