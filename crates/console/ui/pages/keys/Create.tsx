// Makes a key: generated or given. Its value is shown once it is made.
import { Alert, Button, Group, MultiSelect, PasswordInput, SegmentedControl, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";

import { call, path } from "../../api/client";
import { usePlans } from "../../api/names";
import type { ApiKey } from "../../api/types";
import { useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Problem } from "../../parts/Page";
import { Secret } from "../../parts/Secret";
import { Dialog } from "../../parts/Dialog";

interface Values {
  name: string;
  description: string;
  enabled: boolean;
  custom: boolean;
  value: string;
  plans: string[];
}

const FRESH: Values = { name: "", description: "", enabled: true, custom: false, value: "", plans: [] };

/** A made key, and the plans it could not be put into. */
interface Made {
  key: ApiKey;
  failed: string[];
}

export function CreateKey({ opened, onClose, plan }: { opened: boolean; onClose: () => void; plan?: string }) {
  const [made, setMade] = useState<Made>();
  const plans = usePlans();
  const form = useForm<Values>({
    initialValues: { ...FRESH, plans: plan ? [plan] : [] },
    validate: {
      name: (name) => (name.trim() === "" ? "A key needs a name to be found by" : null),
      value: (value, all) =>
        all.custom && (value.length < 20 || value.length > 128) ? "A value has 20 to 128 characters" : null,
    },
  });
  const body = (values: Values) => ({
    name: values.name.trim(),
    description: values.description || undefined,
    enabled: values.enabled,
    value: values.custom ? values.value : undefined,
  });
  const create = useAct(async (values: Values): Promise<Made> => {
    const key = await call<ApiKey>({ method: "POST", path: "/apikeys", body: body(values) });
    const failed: string[] = [];
    // The key is made; a plan that does not take it must not hide its value.
    for (const plan of values.plans) {
      try {
        await call({ method: "POST", path: path`/usageplans/${plan}/keys`, body: { keyId: key.id, keyType: "API_KEY" } });
      } catch (error) {
        failed.push(error instanceof Error ? error.message : String(error));
      }
    }
    const result = { key, failed };
    setMade(result);
    return result;
  }, () => undefined);
  const close = () => {
    setMade(undefined);
    create.clear();
    form.reset();
    onClose();
  };
  return (
    <Dialog opened={opened} onClose={close} title={made ? "The key is made" : "Create API key"} size="lg" closeOnClickOutside={false}>
      {made ? (
        <Stack>
          <Text size="sm">
            Give this value to the customer. It goes into the header <code>x-api-key</code> of each call.
          </Text>
          {made.key.value && <Secret value={made.key.value} what="the value" shown />}
          {made.failed.map((text) => (
            <Alert key={text} color="yellow" title="Not in every plan">
              {text}
            </Alert>
          ))}
          <Group justify="flex-end">
            <Button onClick={close}>Done</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={form.onSubmit((values) => void create.run(values))}>
          <Stack>
            <TextInput label="Name" data-autofocus required maxLength={1024} {...form.getInputProps("name")} />
            <TextInput label="Description" {...form.getInputProps("description")} />
            <div>
              <Text size="sm" fw={500} id="value-kind">
                Value
              </Text>
              <SegmentedControl
                aria-labelledby="value-kind"
                value={form.values.custom ? "custom" : "generated"}
                onChange={(kind) => form.setFieldValue("custom", kind === "custom")}
                data={[
                  { value: "generated", label: "Auto-generate" },
                  { value: "custom", label: "Custom" },
                ]}
              />
            </div>
            {form.values.custom && (
              <PasswordInput label="Custom value" description="20 to 128 characters that nobody can guess" {...form.getInputProps("value")} />
            )}
            <MultiSelect
              label="Usage plans"
              description="A key without a plan for the called stage is refused with 403"
              data={(plans.data?.items ?? []).map((plan) => ({ value: plan.id, label: plan.name }))}
              searchable
              clearable
              {...form.getInputProps("plans")}
            />
            <Switch label="Enabled" {...form.getInputProps("enabled", { type: "checkbox" })} />
            {create.error !== undefined && <Problem error={create.error} />}
            <Cli command={awsCommand("create-api-key", { ...body(form.values), value: form.values.custom ? "…" : undefined })} />
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit" loading={create.busy}>
                Create key
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Dialog>
  );
}
