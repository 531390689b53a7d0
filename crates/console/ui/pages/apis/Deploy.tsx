// Deploys an API to a stage, having shown what changes for its callers.
import { Autocomplete, Button, Group, Stack, Text, Textarea } from "@mantine/core";
import { useState } from "react";

import { call, path } from "../../api/client";
import { useStages } from "../../api/names";
import type { Deployment, RestApi } from "../../api/types";
import { useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Loading, Problem } from "../../parts/Page";
import { Differences, useUndeployed } from "./undeployed";
import { Dialog } from "../../parts/Dialog";

export function Deploy({ api, opened, onClose }: { api: RestApi; opened: boolean; onClose: () => void }) {
  return (
    <Dialog opened={opened} onClose={onClose} title={`Deploy ${api.name}`} size="lg">
      {opened && <Form api={api} onClose={onClose} />}
    </Dialog>
  );
}

function Form({ api, onClose }: { api: RestApi; onClose: () => void }) {
  const stages = useStages(api.id);
  const names = stages.data?.item.map((stage) => stage.stageName) ?? [];
  const [typed, setTyped] = useState<string>();
  const [description, setDescription] = useState("");
  const stage = typed ?? names[0] ?? "prod";
  const known = names.includes(stage);
  const changes = useUndeployed(api.id, known ? stage : undefined, stages.data !== undefined);
  const parameters = { stageName: stage, description: description || undefined };
  const deploy = useAct(async () => {
    await call<Deployment>({ method: "POST", path: path`/restapis/${api.id}/deployments`, body: parameters });
    onClose();
  }, `Deployed to ${stage}: calls go there from now on`);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void deploy.run();
      }}
    >
      <Stack>
        <Autocomplete
          label="Stage"
          description="One that exists, or a new one"
          data={names}
          value={stage}
          onChange={setTyped}
          required
          data-autofocus
        />
        <Textarea label="Description" placeholder="What is new, for those who look back" autosize value={description} onChange={(event) => setDescription(event.currentTarget.value)} />
        <div>
          <Text size="sm" fw={500}>
            {known ? `What changes at ${stage}` : "What is deployed"}
          </Text>
          {changes.error ? <Problem error={changes.error} /> : changes.data ? <Differences changes={changes.data} /> : <Loading what="the changes" />}
        </div>
        {deploy.error !== undefined && <Problem error={deploy.error} />}
        <Cli command={awsCommand("create-deployment", { restApiId: api.id, ...parameters })} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={deploy.busy} disabled={stage.trim() === ""}>
            Deploy to {stage || "…"}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
