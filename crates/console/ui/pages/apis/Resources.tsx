// The paths of an API as a tree, with the chosen resource or method beside it.
import { Badge, Button, Group, Select, SimpleGrid, Stack, Switch, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useState } from "react";

import { call, path } from "../../api/client";
import { whole } from "../../api/lists";
import type { Resource, RestApi } from "../../api/types";
import { Ask, useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Icon } from "../../parts/Icon";
import { Loading, Problem, Section } from "../../parts/Page";
import { MethodPanel } from "./Method";
import { Dialog } from "../../parts/Dialog";

const VERBS = ["ANY", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

interface Chosen {
  resource: string;
  verb?: string;
}

export function Resources({ api }: { api: RestApi }) {
  const resources = useQuery({
    queryKey: ["resources", api.id],
    queryFn: ({ signal }) => whole<Resource>(path`/restapis/${api.id}/resources`, { embed: "methods" }, signal),
  });
  const [chosen, setChosen] = useState<Chosen>({ resource: api.rootResourceId });
  if (resources.error) return <Problem error={resources.error} again={() => void resources.refetch()} />;
  if (!resources.data) return <Loading what="resources" />;
  const { items } = resources.data;
  const resource = items.find((one) => one.id === chosen.resource) ?? items[0];
  const method = chosen.verb ? resource?.resourceMethods?.[chosen.verb] : undefined;
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} style={{ gridTemplateColumns: undefined }}>
      <Section title="Resources">
        <Tree items={items} chosen={chosen} onChoose={setChosen} />
      </Section>
      {resource &&
        (method ? (
          <MethodPanel
            key={`${resource.id} ${method.httpMethod}`}
            api={api}
            resource={resource}
            method={method}
            onGone={() => setChosen({ resource: resource.id })}
          />
        ) : (
          <ResourcePanel key={resource.id} api={api} resource={resource} onChoose={setChosen} />
        ))}
    </SimpleGrid>
  );
}

/** The resources by path, each followed by its methods. Arrow keys move, Enter chooses. */
function Tree({ items, chosen, onChoose }: { items: Resource[]; chosen: Chosen; onChoose: (chosen: Chosen) => void }) {
  const move = (event: KeyboardEvent<HTMLDivElement>) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const rows = [...event.currentTarget.querySelectorAll<HTMLElement>("[role=treeitem]")];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    rows[at + step]?.focus();
    event.preventDefault();
  };
  const row = (key: string, depth: number, active: boolean, choose: () => void, content: React.ReactNode) => (
    <UnstyledButton
      key={key}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={active}
      onClick={choose}
      py={4}
      px={8}
      pl={8 + depth * 18}
      style={{ borderRadius: 6, background: active ? "var(--mantine-primary-color-light)" : undefined, width: "100%" }}
    >
      {content}
    </UnstyledButton>
  );
  return (
    <div role="tree" aria-label="Resources and methods" onKeyDown={move}>
      {items.map((resource) => {
        const depth = resource.path === "/" ? 0 : resource.path.split("/").length - 1;
        const verbs = Object.keys(resource.resourceMethods ?? {});
        return (
          <div key={resource.id} role="none">
            {row(resource.id, depth, chosen.resource === resource.id && !chosen.verb, () => onChoose({ resource: resource.id }), (
              <Text size="sm" fw={600} component="span">
                {resource.path === "/" ? "/" : `/${resource.pathPart ?? ""}`}
              </Text>
            ))}
            {verbs.map((verb) =>
              row(
                `${resource.id} ${verb}`,
                depth + 1,
                chosen.resource === resource.id && chosen.verb === verb,
                () => onChoose({ resource: resource.id, verb }),
                <Group gap={6} component="span">
                  <Badge size="sm" variant="light" color={COLOURS[verb] ?? "gray"} miw={64}>
                    {verb}
                  </Badge>
                  {resource.resourceMethods?.[verb]?.apiKeyRequired && (
                    <Text size="xs" className="quiet" component="span">
                      <Icon name="key" size={12} /> key required
                    </Text>
                  )}
                </Group>,
              ),
            )}
          </div>
        );
      })}
    </div>
  );
}

const COLOURS: Record<string, string> = {
  GET: "teal",
  POST: "blue",
  PUT: "orange",
  PATCH: "grape",
  DELETE: "red",
  ANY: "cyan",
};

function ResourcePanel({ api, resource, onChoose }: { api: RestApi; resource: Resource; onChoose: (chosen: Chosen) => void }) {
  const [part, setPart] = useState("");
  const [creating, create] = useDisclosure();
  const [deleting, ask] = useDisclosure();
  const add = useAct(async () => {
    const made = await call<Resource>({ method: "POST", path: path`/restapis/${api.id}/resources/${resource.id}`, body: { pathPart: part } });
    setPart("");
    onChoose({ resource: made.id });
  }, "The resource is made");
  const remove = useAct(async () => {
    await call({ method: "DELETE", path: path`/restapis/${api.id}/resources/${resource.id}` });
    onChoose({ resource: resource.parentId ?? api.rootResourceId });
  }, "The resource is deleted");
  return (
    <Section
      title={resource.path}
      actions={
        <>
          {resource.parentId && (
            <Button size="xs" variant="default" color="red" onClick={ask.open} leftSection={<Icon name="trash" />}>
              Delete
            </Button>
          )}
          <Button size="xs" onClick={create.open} leftSection={<Icon name="plus" />}>
            Create method
          </Button>
        </>
      }
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void add.run();
        }}
      >
        <Stack>
          <Group align="flex-end">
            <TextInput
              label="Create a resource below"
              description="pets, {petId} for a variable, {rest+} for everything further"
              placeholder="pets"
              style={{ flex: 1 }}
              value={part}
              onChange={(event) => setPart(event.currentTarget.value)}
            />
            <Button type="submit" variant="default" disabled={part.trim() === ""} loading={add.busy}>
              Create resource
            </Button>
          </Group>
          {add.error !== undefined && <Problem error={add.error} />}
          <Cli command={awsCommand("create-resource", { restApiId: api.id, parentId: resource.id, pathPart: part || "pets" })} />
        </Stack>
      </form>
      <CreateMethod api={api} resource={resource} opened={creating} onClose={create.close} onMade={(verb) => onChoose({ resource: resource.id, verb })} />
      <Ask opened={deleting} onClose={ask.close} title={`Delete ${resource.path}?`} confirm="Delete the resource" act={remove}>
        Everything below it goes with it. Stages serve what was deployed until the API is deployed again.
      </Ask>
    </Section>
  );
}

type Goes = "HTTP_PROXY" | "MOCK";

function CreateMethod({
  api,
  resource,
  opened,
  onClose,
  onMade,
}: {
  api: RestApi;
  resource: Resource;
  opened: boolean;
  onClose: () => void;
  onMade: (verb: string) => void;
}) {
  const free = VERBS.filter((verb) => !resource.resourceMethods?.[verb]);
  const [verb, setVerb] = useState(free.includes("GET") ? "GET" : (free[0] ?? "GET"));
  const [goes, setGoes] = useState<Goes>("HTTP_PROXY");
  const [uri, setUri] = useState("");
  const [keyed, setKeyed] = useState(true);
  const variables = [...resource.path.matchAll(/\{(\w+)\+?\}/g)].map((found) => found[1] ?? "");
  const at = path`/restapis/${api.id}/resources/${resource.id}/methods/${verb}`;
  const named = (place: string) => Object.fromEntries(variables.map((name) => [`${place}.${name}`, true]));
  const integration =
    goes === "MOCK"
      ? { type: "MOCK", requestTemplates: { "application/json": '{"statusCode": 200}' } }
      : {
          type: "HTTP_PROXY",
          httpMethod: verb,
          uri,
          // Each variable of the path goes on under its own name.
          requestParameters: Object.fromEntries(variables.map((name) => [`integration.request.path.${name}`, `method.request.path.${name}`])),
        };
  const create = useAct(async () => {
    const body = { authorizationType: "NONE", apiKeyRequired: keyed, requestParameters: named("method.request.path") };
    await call({ method: "PUT", path: at, body });
    try {
      await call({ method: "PUT", path: `${at}/integration`, body: integration });
      if (goes === "MOCK") {
        await call({ method: "PUT", path: `${at}/responses/200`, body: {} });
        const templates = { responseTemplates: { "application/json": '{"ok": true}' } };
        await call({ method: "PUT", path: `${at}/integration/responses/200`, body: templates });
      }
    } catch (error) {
      // A method that goes nowhere would stop the next deployment.
      await call({ method: "DELETE", path: at }).catch(() => undefined);
      throw error;
    }
    onClose();
    onMade(verb);
  }, "The method is made: deploy the API to serve it");
  return (
    <Dialog opened={opened} onClose={onClose} title={`Create a method on ${resource.path}`} closeOnClickOutside={false}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void create.run();
        }}
      >
        <Stack>
          <Select label="Method" data={free} value={verb} allowDeselect={false} onChange={(value) => setVerb(value ?? "GET")} data-autofocus />
          <Select
            label="Its calls go to"
            allowDeselect={false}
            data={[
              { value: "HTTP_PROXY", label: "a server of yours (HTTP proxy)" },
              { value: "MOCK", label: "nowhere: the gateway answers (mock)" },
            ]}
            value={goes}
            onChange={(value) => setGoes((value ?? "HTTP_PROXY") as Goes)}
          />
          {goes === "HTTP_PROXY" && (
            <TextInput
              label="URL"
              required
              placeholder={`http://127.0.0.1:3000${resource.path}`.replace("+}", "}")}
              description={variables.length > 0 ? `Variables of the path may stand in it: ${variables.map((name) => `{${name}}`).join(", ")}` : undefined}
              value={uri}
              onChange={(event) => setUri(event.currentTarget.value)}
            />
          )}
          <Switch label="API key required" checked={keyed} onChange={(event) => setKeyed(event.currentTarget.checked)} />
          {create.error !== undefined && <Problem error={create.error} title="Nothing was made" />}
          <Cli
            command={`${awsCommand("put-method", { restApiId: api.id, resourceId: resource.id, httpMethod: verb, authorizationType: "NONE", apiKeyRequired: keyed })} && \\\n${awsCommand("put-integration", { restApiId: api.id, resourceId: resource.id, httpMethod: verb, type: goes, integrationHttpMethod: goes === "MOCK" ? undefined : verb, uri: goes === "MOCK" ? undefined : uri })}`}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={create.busy}>
              Create method
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
