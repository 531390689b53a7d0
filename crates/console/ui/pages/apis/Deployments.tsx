// The deployments of an API, newest first, and the way back to an earlier one.
import { Badge, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { call, path } from "../../api/client";
import { whole } from "../../api/lists";
import { useStages } from "../../api/names";
import type { Deployment, RestApi } from "../../api/types";
import { Ask, useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Empty, Loading, Problem } from "../../parts/Page";
import { Time } from "../../parts/Time";

export function Deployments({ api }: { api: RestApi }) {
  const stages = useStages(api.id);
  const deployments = useQuery({
    queryKey: ["deployments", api.id],
    queryFn: ({ signal }) => whole<Deployment>(path`/restapis/${api.id}/deployments`, {}, signal),
  });
  const [chosen, setChosen] = useState<{ deployment: Deployment; stage: string }>();
  const operation = { op: "replace" as const, path: "/deploymentId", value: chosen?.deployment.id ?? "" };
  const roll = useAct(
    () =>
      call({
        method: "PATCH",
        path: path`/restapis/${api.id}/stages/${chosen?.stage ?? ""}`,
        body: { patchOperations: [operation] },
      }),
    `${chosen?.stage ?? "The stage"} serves that deployment`,
  );
  if (deployments.error) return <Problem error={deployments.error} again={() => void deployments.refetch()} />;
  if (!deployments.data) return <Loading what="deployments" />;
  if (deployments.data.items.length === 0) {
    return <Empty title="Never deployed" text="Deploy the API to a stage; until then nobody can call it." />;
  }
  const at = (id: string) => (stages.data?.item ?? []).filter((stage) => stage.deploymentId === id).map((stage) => stage.stageName);
  const newest = [...deployments.data.items].reverse();
  return (
    <Stack>
      <div className="wide">
        <Table aria-label="Deployments" miw={560}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>When</Table.Th>
              <Table.Th>Id</Table.Th>
              <Table.Th>Description</Table.Th>
              <Table.Th>Serves</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {newest.map((deployment) => {
              const serves = at(deployment.id);
              const others = (stages.data?.item ?? []).filter((stage) => !serves.includes(stage.stageName));
              return (
                <Table.Tr key={deployment.id}>
                  <Table.Td>
                    <Time at={deployment.createdDate} />
                  </Table.Td>
                  <Table.Td>
                    <code>{deployment.id}</code>
                  </Table.Td>
                  <Table.Td>{deployment.description ?? "–"}</Table.Td>
                  <Table.Td>
                    <Group gap="xs">
                      {serves.map((stage) => (
                        <Badge key={stage} variant="light" tt="none">
                          {stage}
                        </Badge>
                      ))}
                      {others.map((stage) => (
                        <Button
                          key={stage.stageName}
                          size="compact-xs"
                          variant="subtle"
                          onClick={() => setChosen({ deployment, stage: stage.stageName })}
                        >
                          Put at {stage.stageName}
                        </Button>
                      ))}
                    </Group>
                  </Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </div>
      <Ask opened={chosen !== undefined} onClose={() => setChosen(undefined)} title={`Put this deployment at ${chosen?.stage ?? ""}?`} confirm="Put it there" act={roll}>
        <Text size="sm">
          Calls to {chosen?.stage} go to the deployment {chosen?.deployment.id} from then on. The API itself stays as it is.
        </Text>
        <Cli command={awsCommand("update-stage", { restApiId: api.id, stageName: chosen?.stage, patchOperations: [operation] })} />
      </Ask>
    </Stack>
  );
}
