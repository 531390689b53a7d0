// One method in AWS's four steps: its request, its integration, and the responses of both.
import { Accordion, Badge, Button, Code, Group, NumberInput, Select, Stack, Switch, Table, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";

import { call, path } from "../../api/client";
import type { Integration, Method, PatchOperation, Resource, RestApi } from "../../api/types";
import { Ask, useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Icon } from "../../parts/Icon";
import { Problem, Section } from "../../parts/Page";
import { number } from "../../parts/words";

export function MethodPanel({ api, resource, method, onGone }: { api: RestApi; resource: Resource; method: Method; onGone: () => void }) {
  const at = path`/restapis/${api.id}/resources/${resource.id}/methods/${method.httpMethod}`;
  const ids = { restApiId: api.id, resourceId: resource.id, httpMethod: method.httpMethod };
  const [deleting, ask] = useDisclosure();
  const remove = useAct(async () => {
    await call({ method: "DELETE", path: at });
    onGone();
  }, "The method is deleted");
  return (
    <Section
      title={`${method.httpMethod} ${resource.path}`}
      actions={
        <Button size="xs" variant="default" color="red" onClick={ask.open} leftSection={<Icon name="trash" />}>
          Delete
        </Button>
      }
    >
      <Accordion multiple defaultValue={["request", "integration"]} order={3}>
        <Accordion.Item value="request">
          <Accordion.Control>Method request</Accordion.Control>
          <Accordion.Panel>
            <Request at={at} ids={ids} method={method} />
          </Accordion.Panel>
        </Accordion.Item>
        <Accordion.Item value="integration">
          <Accordion.Control>Integration request</Accordion.Control>
          <Accordion.Panel>
            {method.methodIntegration ? (
              <EditIntegration at={at} ids={ids} integration={method.methodIntegration} />
            ) : (
              <Text size="sm">None: the API cannot be deployed until the method goes somewhere. Delete it and make it anew.</Text>
            )}
          </Accordion.Panel>
        </Accordion.Item>
        <Accordion.Item value="integration-responses">
          <Accordion.Control>Integration responses</Accordion.Control>
          <Accordion.Panel>
            <IntegrationResponses integration={method.methodIntegration} />
          </Accordion.Panel>
        </Accordion.Item>
        <Accordion.Item value="responses">
          <Accordion.Control>Method responses</Accordion.Control>
          <Accordion.Panel>
            <Responses method={method} />
          </Accordion.Panel>
        </Accordion.Item>
      </Accordion>
      <Ask opened={deleting} onClose={ask.close} title={`Delete ${method.httpMethod} ${resource.path}?`} confirm="Delete the method" act={remove}>
        Stages serve it until the API is deployed again.
      </Ask>
    </Section>
  );
}

type Ids = { restApiId: string; resourceId: string; httpMethod: string };

function Request({ at, ids, method }: { at: string; ids: Ids; method: Method }) {
  const patch: PatchOperation = { op: "replace", path: "/apiKeyRequired", value: String(!method.apiKeyRequired) };
  const require = useAct(
    () => call({ method: "PATCH", path: at, body: { patchOperations: [patch] } }),
    method.apiKeyRequired ? "No key is required: deploy the API to put it in force" : "A key is required: deploy the API to put it in force",
  );
  const parameters = Object.entries(method.requestParameters ?? {});
  return (
    <Stack gap="sm">
      <Switch
        label="API Key Required"
        description="Calls without a key of a usage plan are refused with 403"
        checked={method.apiKeyRequired}
        disabled={require.busy}
        onChange={() => void require.run()}
      />
      {require.error !== undefined && <Problem error={require.error} />}
      <Facts
        label="Method request"
        facts={[
          ["Authorization", method.authorizationType],
          ["Operation name", method.operationName],
          ["Request validator", method.requestValidatorId],
          ...parameters.map(([name, required]): [string, string] => [name.replace("method.request.", ""), required ? "required" : "optional"]),
          ...Object.entries(method.requestModels ?? {}).map(([type, model]): [string, string] => [type, `model ${model}`]),
        ]}
      />
      <Cli command={awsCommand("update-method", { ...ids, patchOperations: [patch] })} />
    </Stack>
  );
}

function EditIntegration({ at, ids, integration }: { at: string; ids: Ids; integration: Integration }) {
  const [uri, setUri] = useState(integration.uri ?? "");
  const [verb, setVerb] = useState(integration.httpMethod ?? "GET");
  const [timeout, setTimeout] = useState<number | string>(integration.timeoutInMillis);
  const proxied = integration.type === "HTTP" || integration.type === "HTTP_PROXY";
  const set = (target: string, before: string | undefined, now: string): PatchOperation[] =>
    before === now ? [] : [{ op: "replace", path: target, value: now }];
  const operations = [
    ...(proxied ? [...set("/uri", integration.uri, uri), ...set("/httpMethod", integration.httpMethod, verb)] : []),
    ...set("/timeoutInMillis", String(integration.timeoutInMillis), String(timeout)),
  ];
  const save = useAct(
    () => call({ method: "PATCH", path: `${at}/integration`, body: { patchOperations: operations } }),
    "Saved: deploy the API to put it in force",
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void save.run();
      }}
    >
      <Stack gap="sm">
        <Group>
          <Text size="sm">Type</Text>
          <Badge variant="light">{integration.type}</Badge>
        </Group>
        {proxied && (
          <Group wrap="nowrap" align="flex-end">
            <Select
              label="Method"
              w={120}
              allowDeselect={false}
              data={["ANY", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]}
              value={verb}
              onChange={(value) => setVerb(value ?? "GET")}
            />
            <TextInput label="URL" style={{ flex: 1 }} required value={uri} onChange={(event) => setUri(event.currentTarget.value)} />
          </Group>
        )}
        <NumberInput label="Timeout" description="Milliseconds, 50 to 29,000" min={50} max={29000} w={200} value={timeout} onChange={setTimeout} />
        <Facts
          label="Integration request"
          facts={[
            ["Passthrough", proxied || integration.type === "MOCK" ? integration.passthroughBehavior : undefined],
            ...Object.entries(integration.requestParameters ?? {}).map(([to, from]): [string, string] => [to.replace("integration.request.", ""), from]),
          ]}
        />
        <Templates label="Request template" templates={integration.requestTemplates} />
        {save.error !== undefined && <Problem error={save.error} />}
        {operations.length > 0 && <Cli command={awsCommand("update-integration", { ...ids, patchOperations: operations })} />}
        <Group>
          <Button type="submit" size="xs" disabled={operations.length === 0 || timeout === ""} loading={save.busy}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function IntegrationResponses({ integration }: { integration: Integration | undefined }) {
  const responses = Object.values(integration?.integrationResponses ?? {});
  if (responses.length === 0) {
    const proxied = integration?.type === "HTTP_PROXY" || integration?.type === "AWS_PROXY";
    return <Text size="sm">{proxied ? "A proxy's answers come back as they are." : "None: every answer is a 500."}</Text>;
  }
  return (
    <Stack>
      {responses.map((response) => (
        <div key={response.statusCode}>
          <Group gap="xs">
            <Badge variant="light">{response.statusCode}</Badge>
            <Text size="sm" className="quiet">
              {response.selectionPattern ? `when the status matches ${response.selectionPattern}` : "the default"}
            </Text>
          </Group>
          <Facts label={`Mapped headers of ${response.statusCode}`} facts={Object.entries(response.responseParameters ?? {})} />
          <Templates label={`Template of ${response.statusCode}`} templates={response.responseTemplates} />
        </div>
      ))}
    </Stack>
  );
}

function Responses({ method }: { method: Method }) {
  const responses = Object.values(method.methodResponses ?? {});
  if (responses.length === 0) return <Text size="sm">None declared.</Text>;
  return (
    <Facts
      label="Method responses"
      facts={responses.map((response): [string, string] => [
        response.statusCode,
        [...Object.keys(response.responseParameters ?? {}), ...Object.entries(response.responseModels ?? {}).map(([type, model]) => `${type}: ${model}`)].join(", ") || "–",
      ])}
    />
  );
}

function Templates({ label, templates }: { label: string; templates: Record<string, string | null> | undefined }) {
  return Object.entries(templates ?? {}).map(([type, template]) => (
    <div key={type}>
      <Text size="xs" className="quiet">
        {label}, {type} ({number((template ?? "").length)} characters)
      </Text>
      <Code block tabIndex={0} aria-label={`${label} ${type}`} style={{ maxHeight: 200, overflow: "auto", whiteSpace: "pre-wrap" }}>
        {template ?? ""}
      </Code>
    </div>
  ));
}

/** Names and values; those without a value are left out. */
function Facts({ label, facts }: { label: string; facts: [string, string | undefined][] }) {
  const there = facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
  if (there.length === 0) return null;
  return (
    <Table variant="vertical" layout="fixed" aria-label={label}>
      <Table.Tbody>
        {there.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Th w={170}>{name}</Table.Th>
            <Table.Td>{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
