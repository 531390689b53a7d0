// Imports keys from a CSV file: dropped, chosen or typed; looked at first, then done.
import { Alert, Badge, Button, FileButton, Group, Progress, SegmentedControl, Stack, Table, Text, Textarea } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type DragEvent, useRef, useState } from "react";

import { call } from "../../api/client";
import { usePlans } from "../../api/names";
import type { Imported } from "../../api/types";
import { awsCommand, Cli } from "../../parts/Cli";
import { Icon } from "../../parts/Icon";
import { Page, Problem, Section } from "../../parts/Page";
import { Rows } from "../../parts/Rows";
import { number } from "../../parts/words";

/** What an import would do, as the gateway tells it. */
interface Preview {
  rows: {
    line: number;
    name: string;
    value: string;
    description?: string;
    enabled?: boolean;
    usagePlanIds: string[];
    wouldBe: "created" | "updated";
  }[];
  created: number;
  updated: number;
  warnings: { line: number; text: string }[];
  warningCount: number;
}

/** Characters of a file that are shown for editing; a longer one is only previewed. */
const EDITABLE_CHARS_MAX = 200_000;
/** Bytes of a file at most: the gateway's own limit. */
const FILE_BYTES_MAX = 10 * 1024 * 1024;
const EXAMPLE = `Name,Key,Description,Enabled,UsagePlanIds
alice,apikey1234abcdefghij0123456789,An imported key,TRUE,`;

type OnWarnings = "ignore" | "fail";

export function ImportKeys() {
  const [text, setText] = useState("");
  const [file, setFile] = useState<string>();
  const [preview, setPreview] = useState<Preview>();
  const [done, setDone] = useState<Imported>();
  const [error, setError] = useState<unknown>();
  const [onWarnings, setOnWarnings] = useState<OnWarnings>("ignore");
  const [busy, setBusy] = useState<"looking" | "importing">();
  const running = useRef<AbortController>(undefined);
  const queries = useQueryClient();
  const plans = usePlans();
  const planName = (id: string) => plans.data?.items.find((plan) => plan.id === id)?.name ?? id;

  const begin = async (what: "looking" | "importing", work: (signal: AbortSignal) => Promise<void>) => {
    const abort = new AbortController();
    running.current = abort;
    setBusy(what);
    setError(undefined);
    try {
      await work(abort.signal);
    } catch (cause) {
      if (!abort.signal.aborted) setError(cause);
    } finally {
      setBusy(undefined);
    }
  };
  const look = (content: string) =>
    begin("looking", async (signal) => {
      setPreview(undefined);
      const raw = { content, type: "text/csv" };
      setPreview(await call<Preview>({ method: "POST", path: "/tollgate/preview-import", raw, signal }));
    });
  const take = async (chosen: File | null | undefined) => {
    if (!chosen) return;
    setDone(undefined);
    if (chosen.size > FILE_BYTES_MAX) {
      setError(new Error(`${chosen.name} has ${number(chosen.size)} bytes; one import takes at most 10 MiB. Split it into several files with the same first line.`));
      return;
    }
    const content = await chosen.text();
    setFile(chosen.name);
    setText(content);
    await look(content);
  };
  const run = () =>
    begin("importing", async (signal) => {
      const query = { mode: "import", format: "csv", failonwarnings: onWarnings === "fail" };
      const raw = { content: text, type: "text/csv" };
      setDone(await call<Imported>({ method: "POST", path: "/apikeys", query, raw, signal }));
      setPreview(undefined);
      await queries.invalidateQueries();
    });
  const blocked = onWarnings === "fail" && (preview?.warningCount ?? 0) > 0;
  const usable = preview ? preview.created + preview.updated : 0;

  return (
    <Page
      title="Import API keys"
      crumbs={[{ label: "API keys", to: "/keys" }]}
      intro="The first line names the columns: Name and Key must be there; Description, Enabled and UsagePlanIds may. A row whose Key exists already changes that key."
    >
      <Section
        title="File"
        actions={
          <FileButton onChange={(chosen) => void take(chosen)} accept=".csv,text/csv,text/plain">
            {(props) => (
              <Button variant="default" size="xs" leftSection={<Icon name="upload" />} {...props}>
                Choose a file
              </Button>
            )}
          </FileButton>
        }
      >
        <Drop onFile={(chosen) => void take(chosen)}>
          <Textarea
            label={file ? `Content of ${file}` : "Drop a CSV file here, or type"}
            placeholder={EXAMPLE}
            value={text.length > EDITABLE_CHARS_MAX ? `${text.slice(0, 2000)}\n… ${number(text.length)} characters in all` : text}
            readOnly={text.length > EDITABLE_CHARS_MAX}
            onChange={(event) => {
              setText(event.currentTarget.value);
              setPreview(undefined);
              setDone(undefined);
            }}
            autosize
            minRows={6}
            maxRows={16}
            spellCheck={false}
            styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13, whiteSpace: "pre", overflowX: "auto" } }}
          />
        </Drop>
        <Group mt="sm">
          <Button variant="default" disabled={text.trim() === "" || busy !== undefined} onClick={() => void look(text)}>
            Preview
          </Button>
          {busy && (
            <>
              <Progress value={100} animated w={160} aria-label={busy === "looking" ? "Looking at the file" : "Importing"} />
              <Button variant="subtle" size="xs" onClick={() => running.current?.abort()}>
                Cancel
              </Button>
            </>
          )}
        </Group>
      </Section>
      {error !== undefined && <Problem error={error} title="Nothing was imported" />}
      {done && <Done done={done} />}
      {preview && (
        <Section title="What this would do">
          <Stack>
            <Group gap="xs">
              <Badge color="teal" variant="light">
                {number(preview.created)} new
              </Badge>
              <Badge variant="light">{number(preview.updated)} changed</Badge>
              <Badge color={preview.warningCount ? "orange" : "gray"} variant="light">
                {number(preview.warningCount)} {preview.warningCount === 1 ? "warning" : "warnings"}
              </Badge>
            </Group>
            {preview.warningCount > 0 && (
              <Alert color="orange" title="Warnings">
                <div style={{ maxHeight: 220, overflow: "auto" }} tabIndex={0} role="region" aria-label="Warnings">
                  <Table aria-label="Warnings">
                    <Table.Tbody>
                      {preview.warnings.map((warning) => (
                        <Table.Tr key={`${warning.line} ${warning.text}`}>
                          <Table.Td w={90}>line {warning.line}</Table.Td>
                          <Table.Td>{warning.text}</Table.Td>
                        </Table.Tr>
                      ))}
                    </Table.Tbody>
                  </Table>
                </div>
              </Alert>
            )}
            <Rows
              label="Rows"
              rows={preview.rows}
              id={(row) => String(row.line)}
              columns={[
                { label: "Line", width: "70px", cell: (row) => row.line },
                { label: "Name", width: "2fr", cell: (row) => row.name },
                { label: "Key", width: "110px", cell: (row) => <code>{row.value}</code> },
                { label: "Becomes", width: "110px", cell: (row) => (row.wouldBe === "created" ? "new" : "changed") },
                { label: "Enabled", width: "90px", cell: (row) => (row.enabled === false ? "no" : "yes") },
                { label: "Plans", width: "2fr", cell: (row) => row.usagePlanIds.map(planName).join(", ") || "–" },
              ]}
            />
            {usable > preview.rows.length && (
              <Text size="sm" className="quiet">
                The first {number(preview.rows.length)} of {number(usable)} rows.
              </Text>
            )}
            <div>
              <Text size="sm" fw={500} id="on-warnings">
                If there are warnings
              </Text>
              <SegmentedControl
                aria-labelledby="on-warnings"
                value={onWarnings}
                onChange={(value) => setOnWarnings(value as OnWarnings)}
                data={[
                  { value: "ignore", label: "Ignore warnings: import the other rows" },
                  { value: "fail", label: "Fail on warnings: import nothing" },
                ]}
              />
            </div>
            <Cli command={awsCommand("import-api-keys", { body: "fileb://keys.csv", format: "csv", failOnWarnings: onWarnings === "fail" })} />
            <Group>
              <Button disabled={blocked || usable === 0} loading={busy === "importing"} onClick={() => void run()}>
                Import {number(usable)} {usable === 1 ? "key" : "keys"}
              </Button>
              {blocked && (
                <Text size="sm" className="quiet">
                  There are warnings: mend the file, or ignore them.
                </Text>
              )}
            </Group>
          </Stack>
        </Section>
      )}
    </Page>
  );
}

function Done({ done }: { done: Imported }) {
  const warnings = done.warnings ?? [];
  return (
    <Alert color="teal" role="status" title={`${number(done.ids.length)} keys are imported`}>
      <Stack gap="xs" align="flex-start">
        {warnings.slice(0, 20).map((text) => (
          <Text key={text} size="sm">
            {text}
          </Text>
        ))}
        <Button component={Link} to="/keys" size="xs" variant="default">
          See the keys
        </Button>
      </Stack>
    </Alert>
  );
}

/** A place that files can be dropped on. */
function Drop({ onFile, children }: { onFile: (file: File | undefined) => void; children: React.ReactNode }) {
  const [over, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    onFile(event.dataTransfer.files[0]);
  };
  return (
    <div
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      data-testid="drop"
      style={{ outline: over ? "2px dashed var(--mantine-primary-color-filled)" : undefined, outlineOffset: 4, borderRadius: 6 }}
    >
      {children}
    </div>
  );
}
