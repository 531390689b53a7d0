// APIs: listed, and made empty, from the example, or from an OpenAPI document.
import { Anchor, Button, FileButton, Group, Stack, Tabs, Text, Textarea, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { type DragEvent, useState } from "react";

import { call } from "../../api/client";
import { useApis } from "../../api/names";
import type { RestApi } from "../../api/types";
import { useAct } from "../../parts/act";
import { awsCommand, Cli } from "../../parts/Cli";
import { Icon } from "../../parts/Icon";
import { Empty, Loading, Page, Problem } from "../../parts/Page";
import { Rows } from "../../parts/Rows";
import { Time } from "../../parts/Time";
import { EXAMPLE } from "./example";
import { Dialog } from "../../parts/Dialog";

const route = getRouteApi("/apis");

export function ApiList() {
  const { find } = route.useSearch();
  const navigate = route.useNavigate();
  const apis = useApis();
  const [creating, create] = useDisclosure();
  const wanted = (find ?? "").toLowerCase();
  const shown = (apis.data?.items ?? []).filter((api) => `${api.name} ${api.id}`.toLowerCase().includes(wanted));
  const creator = (
    <Button onClick={create.open} leftSection={<Icon name="plus" />}>
      Create API
    </Button>
  );
  return (
    <Page title="APIs" intro="What is offered: paths and methods, where their calls go, and the stages they are called at." actions={creator}>
      <TextInput
        aria-label="Find APIs"
        placeholder="Name or id"
        leftSection={<Icon name="search" />}
        maw={360}
        defaultValue={find ?? ""}
        onChange={(event) => {
          const text = event.currentTarget.value;
          void navigate({ search: text ? { find: text } : {}, replace: true });
        }}
      />
      {apis.error ? (
        <Problem error={apis.error} again={() => void apis.refetch()} />
      ) : !apis.data ? (
        <Loading what="APIs" />
      ) : shown.length === 0 ? (
        <Empty
          title={find ? "No API has that name or id" : "No APIs yet"}
          text={find ? "Look for less of it." : "Start from an OpenAPI document you have, from an example, or from nothing."}
          action={find ? undefined : creator}
        />
      ) : (
        <Rows
          label="APIs"
          rows={shown}
          id={(api) => api.id}
          columns={[
            {
              label: "Name",
              width: "2fr",
              cell: (api) => (
                <Anchor component={Link} to={`/apis/${api.id}`} size="sm">
                  {api.name}
                </Anchor>
              ),
            },
            { label: "Id", width: "140px", cell: (api) => <code>{api.id}</code> },
            { label: "Description", width: "3fr", cell: (api) => <span className="quiet">{api.description ?? ""}</span> },
            { label: "Created", width: "180px", cell: (api) => <Time at={api.createdDate} /> },
          ]}
        />
      )}
      <CreateApi opened={creating} onClose={create.close} />
    </Page>
  );
}

type From = "openapi" | "example" | "empty";

/** Bytes of a document at most: the gateway's own limit. */
const FILE_BYTES_MAX = 10 * 1024 * 1024;
/** Characters that a text field still edits well. */
const EDITABLE_CHARS_MAX = 300_000;

export function CreateApi({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const navigate = useNavigate();
  const [from, setFrom] = useState<From>("openapi");
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [document, setDocument] = useState("");
  const [file, setFile] = useState<string>();
  const [tooLarge, setTooLarge] = useState<string>();
  const create = useAct(
    async () => {
      const api =
        from === "empty"
          ? await call<RestApi>({ method: "POST", path: "/restapis", body: { name: name.trim(), description: description || undefined } })
          : await imported(from === "example" ? EXAMPLE : document);
      onClose();
      await navigate({ to: `/apis/${api.id}` });
      return api;
    },
    (api) => (api.warnings?.length ? `Made, with warnings: ${api.warnings.join("; ")}` : `${api.name} is made: deploy it to call it`),
  );
  const take = async (chosen: File | null | undefined) => {
    if (!chosen) return;
    if (chosen.size > FILE_BYTES_MAX) {
      setTooLarge(`${chosen.name} is larger than 10 MiB, which is the most that the gateway reads at once.`);
      return;
    }
    setTooLarge(undefined);
    setFile(chosen.name);
    setDocument(await chosen.text());
  };
  const command =
    from === "empty"
      ? awsCommand("create-rest-api", { name, description })
      : awsCommand("import-rest-api", { body: `fileb://${file ?? (from === "example" ? "example.json" : "openapi.yaml")}` });
  const ready = from === "example" || (from === "empty" ? name.trim() !== "" : document.trim() !== "");
  return (
    <Dialog opened={opened} onClose={onClose} title="Create API" size="xl" closeOnClickOutside={false}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void create.run();
        }}
      >
        <Stack>
          <Tabs value={from} onChange={(value) => setFrom((value ?? "openapi") as From)}>
            <Tabs.List mb="sm">
              <Tabs.Tab value="openapi">From OpenAPI</Tabs.Tab>
              <Tabs.Tab value="example">Example</Tabs.Tab>
              <Tabs.Tab value="empty">Empty</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="openapi">
              <div
                data-testid="drop"
                onDragOver={(event) => event.preventDefault()}
                onDrop={(event: DragEvent) => {
                  event.preventDefault();
                  void take(event.dataTransfer.files[0]);
                }}
              >
                <Textarea
                  label={file ? `Content of ${file}` : "Drop a file here, or paste OpenAPI 3.0 or Swagger 2.0 as JSON or YAML"}
                  value={document.length > EDITABLE_CHARS_MAX ? `${document.slice(0, 2000)}\n… ${document.length.toLocaleString()} characters in all` : document}
                  readOnly={document.length > EDITABLE_CHARS_MAX}
                  onChange={(event) => setDocument(event.currentTarget.value)}
                  autosize
                  minRows={10}
                  maxRows={18}
                  spellCheck={false}
                  data-autofocus
                  styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
                />
              </div>
              <Group mt="xs">
                <FileButton onChange={(chosen) => void take(chosen)} accept=".json,.yaml,.yml">
                  {(props) => (
                    <Button variant="default" size="xs" leftSection={<Icon name="upload" />} {...props}>
                      Choose a file
                    </Button>
                  )}
                </FileButton>
                {tooLarge && (
                  <Text size="sm" c="red" role="alert">
                    {tooLarge}
                  </Text>
                )}
              </Group>
            </Tabs.Panel>
            <Tabs.Panel value="example">
              <Text size="sm">
                An API of pets: <code>GET /pets</code> and <code>GET /pets/{"{petId}"}</code> require a key, <code>GET /health</code> does
                not. Its answers are made by the gateway itself, so it works without a server behind it.
              </Text>
            </Tabs.Panel>
            <Tabs.Panel value="empty">
              <Stack gap="sm">
                <TextInput label="Name" required={from === "empty"} value={name} onChange={(event) => setName(event.currentTarget.value)} />
                <TextInput label="Description" value={description} onChange={(event) => setDescription(event.currentTarget.value)} />
              </Stack>
            </Tabs.Panel>
          </Tabs>
          {create.error !== undefined && <Problem error={create.error} title="Nothing was made" />}
          <Cli command={command} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={create.busy} disabled={!ready}>
              Create API
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

/** ImportRestApi. */
export function imported(document: string): Promise<RestApi> {
  const raw = { content: document, type: "application/octet-stream" };
  return call<RestApi>({ method: "POST", path: "/restapis", query: { mode: "import", failonwarnings: false }, raw });
}
