// Administrators' access keys, and what is running.
import { Alert, Badge, Button, Group, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { call, path } from "../../api/client";
import { useStatus } from "../../api/names";
import type { AccessKey } from "../../api/types";
import { useSession } from "../../app/SignedIn";
import { Ask, useAct } from "../../parts/act";
import { Copy } from "../../parts/Copy";
import { Icon } from "../../parts/Icon";
import { Loading, Page, Problem, Section } from "../../parts/Page";
import { Secret } from "../../parts/Secret";
import { Time } from "../../parts/Time";
import { duration } from "../../parts/words";
import { DomainNames } from "./DomainNames";
import { Dialog } from "../../parts/Dialog";

export function Settings() {
  return (
    <Page title="Settings">
      <AccessKeys />
      <DomainNames />
      <About />
    </Page>
  );
}

function AccessKeys() {
  const { session } = useSession();
  const keys = useQuery({
    queryKey: ["access-keys"],
    queryFn: ({ signal }) => call<{ item: AccessKey[] }>({ path: "/tollgate/access-keys", signal }),
  });
  const [creating, create] = useDisclosure();
  const [leaving, setLeaving] = useState<AccessKey>();
  const remove = useAct(
    () => call({ method: "DELETE", path: path`/tollgate/access-keys/${leaving?.accessKeyId ?? ""}` }),
    "The access key is deleted",
  );
  return (
    <Section
      title="Administrators' access keys"
      actions={
        <Button size="xs" variant="default" leftSection={<Icon name="plus" />} onClick={create.open}>
          Create access key
        </Button>
      }
    >
      {!session.authentication && (
        <Alert color="yellow" mb="sm">
          This gateway runs without authentication: everybody on this machine may change everything.
        </Alert>
      )}
      {keys.error ? (
        <Problem error={keys.error} again={() => void keys.refetch()} />
      ) : !keys.data ? (
        <Loading what="access keys" />
      ) : (
        <div className="wide">
          <Table aria-label="Access keys">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Whose, what for</Table.Th>
                <Table.Th>Id</Table.Th>
                <Table.Th>Created</Table.Th>
                <Table.Th w={90} aria-label="Actions" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {keys.data.item.map((key) => (
                <Table.Tr key={key.accessKeyId}>
                  <Table.Td>
                    {key.label}{" "}
                    {key.current && (
                      <Badge size="sm" variant="light">
                        yours
                      </Badge>
                    )}
                  </Table.Td>
                  <Table.Td>
                    <Group gap={4} wrap="nowrap">
                      <code>{key.accessKeyId}</code>
                      <Copy value={key.accessKeyId} what="the id" />
                    </Group>
                  </Table.Td>
                  <Table.Td>
                    <Time at={key.createdDate} />
                  </Table.Td>
                  <Table.Td>
                    <Button size="compact-xs" variant="subtle" color="red" onClick={() => setLeaving(key)} aria-label={`Delete ${key.label}`}>
                      Delete
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
      <CreateAccessKey opened={creating} onClose={create.close} />
      <Ask opened={leaving !== undefined} onClose={() => setLeaving(undefined)} title={`Delete ${leaving?.label ?? ""}?`} confirm="Delete the access key" act={remove}>
        {leaving?.current
          ? "It is the one you are signed in with: you will be signed out."
          : "Programs that sign with it, and people signed in with it, are refused from then on."}
      </Ask>
    </Section>
  );
}

function CreateAccessKey({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [label, setLabel] = useState("");
  const [made, setMade] = useState<AccessKey>();
  const create = useAct(async () => {
    setMade(await call<AccessKey>({ method: "POST", path: "/tollgate/access-keys", body: { label } }));
  }, () => undefined);
  const close = () => {
    setMade(undefined);
    setLabel("");
    create.clear();
    onClose();
  };
  return (
    <Dialog opened={opened} onClose={close} title={made ? "The access key is made" : "Create access key"} closeOnClickOutside={false}>
      {made ? (
        <Stack>
          <Text size="sm">The secret is shown now and never again.</Text>
          <Text size="sm" fw={600}>
            Access key id
          </Text>
          <Secret value={made.accessKeyId} what="the id" shown />
          <Text size="sm" fw={600}>
            Secret access key
          </Text>
          <Secret value={made.secretAccessKey ?? ""} what="the secret" shown />
          <Group justify="flex-end">
            <Button onClick={close}>Done</Button>
          </Group>
        </Stack>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void create.run();
          }}
        >
          <Stack>
            <TextInput
              label="Whose is it, or what for?"
              required
              maxLength={256}
              data-autofocus
              value={label}
              onChange={(event) => setLabel(event.currentTarget.value)}
            />
            <Text size="sm" className="quiet">
              It may do everything, like yours: in this console, with the AWS CLI, with Terraform.
            </Text>
            {create.error !== undefined && <Problem error={create.error} />}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit" loading={create.busy}>
                Create
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Dialog>
  );
}

function About() {
  const status = useStatus();
  const facts: [string, string][] = status.data
    ? [
        ["Version", status.data.version],
        ["Guarantee of quotas", status.data.guarantee],
        ["Data plane", status.data.data_plane],
        ["State", status.data.phase],
        ["Usage ledger", status.data.ledger],
        ["Running for", duration(status.data.uptime_s)],
        ["Licence", "Apache-2.0"],
      ]
    : [];
  return (
    <Section title="About">
      {status.error && <Problem error={status.error} />}
      <Table variant="vertical" aria-label="About this gateway">
        <Table.Tbody>
          {facts.map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Th w={180}>{name}</Table.Th>
              <Table.Td>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  );
}
