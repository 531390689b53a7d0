// Sends a call to a stage, with a key if one is chosen, and shows everything of its answer.
import { Anchor, Badge, Button, Code, Group, Select, SimpleGrid, Stack, Table, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { call } from "../../api/client";
import { useStages } from "../../api/names";
import type { RestApi, Tried } from "../../api/types";
import { KeyPicker } from "../../parts/KeyPicker";
import { Problem, Section } from "../../parts/Page";

const VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

export function Tester({ api }: { api: RestApi }) {
  const stages = useStages(api.id);
  const [stage, setStage] = useState<string | null>(null);
  const [method, setMethod] = useState("GET");
  const [target, setTarget] = useState("/");
  const [key, setKey] = useState<string>();
  const [headers, setHeaders] = useState("");
  const [body, setBody] = useState("");
  const chosen = stage ?? stages.data?.item[0]?.stageName ?? null;
  const send = useMutation({
    mutationFn: () =>
      call<Tried>({
        method: "POST",
        path: "/tollgate/try",
        body: { restApiId: api.id, stageName: chosen, httpMethod: method, path: target, keyId: key, headers: parsed(headers), body },
      }),
  });
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      <Section title="Call">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            send.mutate();
          }}
        >
          <Stack>
            <Select label="Stage" data={(stages.data?.item ?? []).map((one) => one.stageName)} value={chosen} onChange={setStage} />
            <Group wrap="nowrap" align="flex-end">
              <Select label="Method" w={120} allowDeselect={false} data={VERBS} value={method} onChange={(value) => setMethod(value ?? "GET")} />
              <TextInput label="Path below the stage" style={{ flex: 1 }} required value={target} onChange={(event) => setTarget(event.currentTarget.value)} />
            </Group>
            <KeyPicker label="Key" description="Its value is sent as x-api-key; the call counts against its limits" value={key} onChange={setKey} />
            <Textarea
              label="Headers"
              placeholder="accept: application/json"
              description="One a line"
              autosize
              minRows={1}
              value={headers}
              onChange={(event) => setHeaders(event.currentTarget.value)}
            />
            {!["GET", "HEAD"].includes(method) && (
              <Textarea label="Body" autosize minRows={3} value={body} onChange={(event) => setBody(event.currentTarget.value)} />
            )}
            <Group>
              <Button type="submit" disabled={!chosen} loading={send.isPending}>
                Send
              </Button>
            </Group>
            {stages.data?.item.length === 0 && <Text size="sm">There is no stage yet: deploy the API first.</Text>}
          </Stack>
        </form>
      </Section>
      <Section title="Answer">
        <div role="status">
          {send.error && <Problem error={send.error} />}
          {send.data ? (
            <Answer tried={send.data} question={{ api: api.id, stage: chosen ?? "", method, path: target, ...(key && { key }) }} />
          ) : (
            !send.error && <Text size="sm">Nothing sent yet.</Text>
          )}
        </div>
      </Section>
    </SimpleGrid>
  );
}

type Asked = { api: string; stage: string; method: string; path: string; key?: string };

function Answer({ tried, question }: { tried: Tried; question: Asked }) {
  const header = (name: string) => tried.headers.find(([own]) => own === name)?.[1];
  const limits = header("ratelimit");
  const refused = tried.status === 403 || tried.status === 429;
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <Badge size="lg" color={tried.status < 400 ? "teal" : "red"} variant="light">
          {tried.status}
        </Badge>
        <Text size="sm">{tried.latencyMs.toFixed(1)} ms</Text>
        {refused && (
          <Anchor size="sm" renderRoot={(props) => <Link to="/explain" search={question} {...props} />}>
            Why? Explain this call
          </Anchor>
        )}
      </Group>
      {limits && (
        <Text size="sm">
          What the key has left: <code>{limits}</code>
        </Text>
      )}
      <Code block tabIndex={0} aria-label="Body of the answer" style={{ maxHeight: 340, overflow: "auto", whiteSpace: "pre-wrap" }}>
        {tried.body === "" ? "(no body)" : tried.isBase64Encoded ? `base64: ${tried.body}` : pretty(tried.body)}
      </Code>
      {tried.truncated && <Text size="xs">The body is longer; this is its beginning.</Text>}
      <Table aria-label="Headers of the answer" layout="fixed">
        <Table.Tbody>
          {tried.headers.map(([name, value], index) => (
            <Table.Tr key={`${name} ${index}`}>
              <Table.Td w={180}>{name}</Table.Td>
              <Table.Td>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}

/** `name: value` lines. */
function parsed(text: string): Record<string, string> {
  const pairs = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line): [string, string] => {
      const colon = line.indexOf(":");
      return colon < 0 ? [line, ""] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    });
  return Object.fromEntries(pairs);
}

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
