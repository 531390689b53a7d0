// The stages of an API: where they are called, their variables, their throttles.
import { Button, Group, NumberInput, Select, Stack, Table, Text, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";

import { call, path } from "../../api/client";
import { useDeployedMethods, useStages, useStatus } from "../../api/names";
import type { MethodSetting, PatchOperation, RestApi, Stage } from "../../api/types";
import { Ask, useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Copy } from "../../parts/Copy";
import { Empty, Loading, Problem, Section } from "../../parts/Page";
import { Time } from "../../parts/Time";
import { throttle } from "../../parts/words";

export function Stages({ api, onDeploy }: { api: RestApi; onDeploy: () => void }) {
  const stages = useStages(api.id);
  if (stages.error) return <Problem error={stages.error} again={() => void stages.refetch()} />;
  if (!stages.data) return <Loading what="stages" />;
  if (stages.data.item.length === 0) {
    return (
      <Empty
        title="No stages yet"
        text="A stage is a name under which a deployment is called: prod, test."
        action={<Button onClick={onDeploy}>Deploy to a stage</Button>}
      />
    );
  }
  return (
    <Stack>
      {stages.data.item.map((stage) => (
        <OneStage key={stage.stageName} api={api} stage={stage} />
      ))}
    </Stack>
  );
}

function OneStage({ api, stage }: { api: RestApi; stage: Stage }) {
  const [asking, setAsking] = useState(false);
  const at = path`/restapis/${api.id}/stages/${stage.stageName}`;
  const ids = { restApiId: api.id, stageName: stage.stageName };
  const remove = useAct(() => call({ method: "DELETE", path: at }), "The stage is deleted");
  const [description, setDescription] = useState(stage.description ?? "");
  const describe = useAct(
    () => call({ method: "PATCH", path: at, body: { patchOperations: [{ op: "replace", path: "/description", value: description }] } }),
    "Saved",
  );
  const status = useStatus();
  const below = `${status.data?.data_plane ?? ""}/${api.id}/${stage.stageName}/`;
  return (
    <Section
      title={stage.stageName}
      actions={
        <Button size="compact-xs" variant="subtle" color="red" onClick={() => setAsking(true)}>
          Delete
        </Button>
      }
    >
      <Stack>
        <Table variant="vertical" layout="fixed" aria-label={`Stage ${stage.stageName}`}>
          <Table.Tbody>
            <Table.Tr>
              <Table.Th w={140}>Called at</Table.Th>
              <Table.Td>
                <Group gap={4} wrap="nowrap">
                  <code>{below}</code>
                  <Copy value={below} what="the address" />
                </Group>
                <Text size="xs" className="quiet">
                  or at the host <code>{api.id}.execute-api.…</code> below <code>/{stage.stageName}/</code>
                </Text>
              </Table.Td>
            </Table.Tr>
            <Table.Tr>
              <Table.Th>Deployment</Table.Th>
              <Table.Td>
                <code>{stage.deploymentId}</code>
              </Table.Td>
            </Table.Tr>
            <Table.Tr>
              <Table.Th>Changed</Table.Th>
              <Table.Td>
                <Time at={stage.lastUpdatedDate} />
              </Table.Td>
            </Table.Tr>
          </Table.Tbody>
        </Table>
        <Group align="flex-end">
          <Textarea label="Description" autosize style={{ flex: 1 }} value={description} onChange={(event) => setDescription(event.currentTarget.value)} />
          <Button variant="default" disabled={description === (stage.description ?? "")} loading={describe.busy} onClick={() => void describe.run()}>
            Save
          </Button>
        </Group>
        {describe.error !== undefined && <Problem error={describe.error} />}
        <Variables at={at} ids={ids} stage={stage} />
        <Throttles at={at} ids={ids} stage={stage} />
      </Stack>
      <Ask opened={asking} onClose={() => setAsking(false)} title={`Delete the stage ${stage.stageName}?`} confirm="Delete the stage" act={remove}>
        Every call to it is refused from then on, and usage plans lose it. The API and its deployments stay.
      </Ask>
    </Section>
  );
}

type Ids = { restApiId: string; stageName: string };

function Variables({ at, ids, stage }: { at: string; ids: Ids; stage: Stage }) {
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const put: PatchOperation = { op: "replace", path: `/variables/${name || "NAME"}`, value };
  const set = useAct(async () => {
    await call({ method: "PATCH", path: at, body: { patchOperations: [put] } });
    setName("");
    setValue("");
  }, "The variable is set, for the next call");
  const remove = useAct(
    (own: string) => call({ method: "PATCH", path: at, body: { patchOperations: [{ op: "remove", path: `/variables/${own}` }] } }),
    "The variable is gone",
  );
  const own = Object.entries(stage.variables ?? {});
  return (
    <div>
      <Text fw={600} size="sm">
        Variables
      </Text>
      {own.length > 0 && (
        <Table aria-label={`Variables of ${stage.stageName}`}>
          <Table.Tbody>
            {own.map(([key, text]) => (
              <Table.Tr key={key}>
                <Table.Td w={180}>
                  <code>{key}</code>
                </Table.Td>
                <Table.Td>{text}</Table.Td>
                <Table.Td w={150} ta="right">
                  <Button
                    size="compact-xs"
                    variant="subtle"
                    onClick={() => {
                      setName(key);
                      setValue(text);
                    }}
                  >
                    Edit
                  </Button>
                  <Button size="compact-xs" variant="subtle" color="red" loading={remove.busy} onClick={() => void remove.run(key)} aria-label={`Remove ${key}`}>
                    Remove
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      <Group align="flex-end" mt="xs">
        <TextInput label="Name" w={180} value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <TextInput label="Value" style={{ flex: 1 }} value={value} onChange={(event) => setValue(event.currentTarget.value)} />
        <Button variant="default" disabled={name === "" || value === ""} loading={set.busy} onClick={() => void set.run()}>
          Set
        </Button>
      </Group>
      {(set.error ?? remove.error) !== undefined && <Problem error={set.error ?? remove.error} />}
      {name && <Cli command={awsCommand("update-stage", { ...ids, patchOperations: [put] })} />}
    </div>
  );
}

/** The throttle in a setting, as far as it has one. */
function settingWords({ throttlingRateLimit, throttlingBurstLimit }: MethodSetting): string {
  if (throttlingRateLimit === undefined || throttlingRateLimit < 0) return "unlimited";
  return throttle({ rateLimit: throttlingRateLimit, burstLimit: throttlingBurstLimit ?? 0 });
}

/** `/pets/{id}/GET` as settings name it: `~1pets~1{id}/GET`. */
function settingKey(method: string): string {
  const cut = method.lastIndexOf("/");
  return `${method.slice(0, cut).replaceAll("/", "~1")}${method.slice(cut)}`;
}

function Throttles({ at, ids, stage }: { at: string; ids: Ids; stage: Stage }) {
  const methods = useDeployedMethods(ids.restApiId, ids.stageName);
  const [method, setMethod] = useState("*/*");
  const [rate, setRate] = useState<number | string>(100);
  const [burst, setBurst] = useState<number | string>(200);
  // AWS keeps `~1` in the keys of settings as it came.
  const operations: PatchOperation[] = [
    { op: "replace", path: `/${method}/throttling/rateLimit`, value: String(rate) },
    { op: "replace", path: `/${method}/throttling/burstLimit`, value: String(burst) },
  ];
  const set = useAct(() => call({ method: "PATCH", path: at, body: { patchOperations: operations } }), "The throttle is in force");
  const clear = useAct(
    (own: string) => call({ method: "PATCH", path: at, body: { patchOperations: [{ op: "remove", path: `/${own}` }] } }),
    "The setting is gone",
  );
  const own = Object.entries(stage.methodSettings);
  return (
    <div>
      <Text fw={600} size="sm">
        Throttles for all callers together
      </Text>
      {own.length > 0 && (
        <Table aria-label={`Throttles of ${stage.stageName}`}>
          <Table.Tbody>
            {own.map(([key, setting]) => (
              <Table.Tr key={key}>
                <Table.Td>
                  <code>{key === "*/*" ? "every method" : key.replaceAll("~1", "/")}</code>
                </Table.Td>
                <Table.Td>{settingWords(setting)}</Table.Td>
                <Table.Td w={90}>
                  <Button size="compact-xs" variant="subtle" color="red" loading={clear.busy} onClick={() => void clear.run(key)}>
                    Remove
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      <Group align="flex-end" mt="xs">
        <Select
          label="Method"
          allowDeselect={false}
          searchable
          data={[{ value: "*/*", label: "every method" }, ...(methods.data ?? []).map((one) => ({ value: settingKey(one), label: one }))]}
          value={method}
          onChange={(value) => setMethod(value ?? "*/*")}
        />
        <NumberInput label="Rate" description="a second" w={110} min={0} value={rate} onChange={setRate} />
        <NumberInput label="Burst" description="at once" w={110} min={0} allowDecimal={false} value={burst} onChange={setBurst} />
        <Button variant="default" disabled={rate === "" || burst === ""} loading={set.busy} onClick={() => void set.run()}>
          Set
        </Button>
      </Group>
      {(set.error ?? clear.error) !== undefined && <Problem error={set.error ?? clear.error} />}
      <Cli command={awsCommand("update-stage", { ...ids, patchOperations: operations })} />
    </div>
  );
}
