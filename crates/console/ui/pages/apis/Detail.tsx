// One API: its resources and methods, its stages, its deployments, and a tester.
import { Badge, Button, Group, Tabs, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";

import { call, download, path } from "../../api/client";
import { useStages } from "../../api/names";
import type { RestApi } from "../../api/types";
import { Ask, useAct } from "../../parts/act";
import { Icon } from "../../parts/Icon";
import { Loading, Page, Problem } from "../../parts/Page";
import { Deploy } from "./Deploy";
import { Deployments } from "./Deployments";
import { Resources } from "./Resources";
import { Stages } from "./Stages";
import { Tester } from "./Tester";
import { useUndeployed } from "./undeployed";

const route = getRouteApi("/apis/$api");
const TABS = { resources: "Resources", stages: "Stages", deployments: "Deployments", test: "Test" } as const;

export function ApiDetail() {
  const { api: id } = route.useParams();
  const api = useQuery({ queryKey: ["api", id], queryFn: ({ signal }) => call<RestApi>({ path: path`/restapis/${id}`, signal }) });
  const crumbs = [{ label: "APIs", to: "/apis" }];
  if (api.error) {
    return (
      <Page title="API" crumbs={crumbs}>
        <Problem error={api.error} again={() => void api.refetch()} />
      </Page>
    );
  }
  if (!api.data) return <Loading what="the API" />;
  return <Filled api={api.data} crumbs={crumbs} />;
}

function Filled({ api, crumbs }: { api: RestApi; crumbs: { label: string; to: string }[] }) {
  const { tab } = route.useSearch();
  const go = route.useNavigate();
  const navigate = useNavigate();
  const [deploying, deploy] = useDisclosure();
  const [deleting, ask] = useDisclosure();
  const stages = useStages(api.id);
  const first = stages.data?.item[0]?.stageName;
  const undeployed = useUndeployed(api.id, first);
  const remove = useAct(async () => {
    await call({ method: "DELETE", path: path`/restapis/${api.id}` });
    await navigate({ to: "/apis" });
  }, "The API is deleted");
  const save = useAct(async () => {
    const { content, name } = await download({
      path: path`/restapis/${api.id}/stages/${first ?? ""}/exports/oas30`,
      query: { extensions: "apigateway" },
      accept: "application/json",
    });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content);
    link.download = name ?? `${api.name}.json`;
    link.click();
    URL.revokeObjectURL(link.href);
  }, () => undefined);
  const pending = first && undeployed.data ? undeployed.data.length : 0;
  return (
    <Page
      title={api.name}
      crumbs={crumbs}
      intro={api.description}
      actions={
        <>
          {pending > 0 && (
            <Badge color="orange" variant="light" size="lg">
              {pending === 1 ? "1 change" : `${pending} changes`} not deployed
            </Badge>
          )}
          {first && (
            <Button variant="default" loading={save.busy} onClick={() => void save.run()} leftSection={<Icon name="download" />}>
              OpenAPI
            </Button>
          )}
          <Button variant="default" color="red" onClick={ask.open} leftSection={<Icon name="trash" />}>
            Delete
          </Button>
          <Button onClick={deploy.open} leftSection={<Icon name="play" />}>
            Deploy
          </Button>
        </>
      }
    >
      {save.error !== undefined && <Problem error={save.error} />}
      <Tabs
        value={tab ?? "resources"}
        onChange={(chosen) => void go({ search: chosen && chosen !== "resources" ? { tab: chosen } : {}, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {Object.entries(TABS).map(([name, label]) => (
            <Tabs.Tab key={name} value={name}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="resources">
          <Resources api={api} />
        </Tabs.Panel>
        <Tabs.Panel value="stages">
          <Stages api={api} onDeploy={deploy.open} />
        </Tabs.Panel>
        <Tabs.Panel value="deployments">
          <Deployments api={api} />
        </Tabs.Panel>
        <Tabs.Panel value="test">
          <Tester api={api} />
        </Tabs.Panel>
      </Tabs>
      <Deploy api={api} opened={deploying} onClose={deploy.close} />
      <Ask opened={deleting} onClose={ask.close} title={`Delete ${api.name}?`} confirm="Delete the API" act={remove}>
        <Group>
          <Text size="sm">
            Its resources, deployments and {stages.data?.item.length ?? 0} stages go with it, and usage plans lose those stages:
            every call to it is refused from then on.
          </Text>
        </Group>
      </Ask>
    </Page>
  );
}
