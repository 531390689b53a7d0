// The audit log: who changed what, when; newest first.
import { Badge, Button, Code, Group, Stack, Table, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";

import { call } from "../../api/client";
import type { Change, Page as ListPage } from "../../api/types";
import { Dialog } from "../../parts/Dialog";
import { Icon } from "../../parts/Icon";
import { Empty, Loading, Page, Problem } from "../../parts/Page";
import { Rows } from "../../parts/Rows";
import { Time, utc } from "../../parts/Time";

const route = getRouteApi("/audit");

export interface Wanted {
  who?: string;
  operation?: string;
  text?: string;
}

export function AuditLog() {
  const wanted = route.useSearch();
  const navigate = route.useNavigate();
  const [open, setOpen] = useState<Change>();
  const changes = useInfiniteQuery({
    queryKey: ["audit", wanted],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      call<ListPage<Change>>({ path: "/tollgate/audit", query: { ...wanted, position: pageParam, limit: 100 }, signal }),
    getNextPageParam: (page) => page.position,
  });
  const look = useDebouncedCallback((change: Wanted) => {
    const search = Object.fromEntries(Object.entries({ ...wanted, ...change }).filter(([, value]) => value)) as Wanted;
    void navigate({ search, replace: true });
  }, 250);
  const rows = changes.data?.pages.flatMap((page) => page.item) ?? [];
  return (
    <Page title="Audit log" intro="Every change of the configuration, written together with the change itself. Secrets are masked.">
      <Group align="flex-end">
        <TextInput label="Who" placeholder="Access key id" defaultValue={wanted.who ?? ""} onChange={(event) => look({ who: event.currentTarget.value })} />
        <TextInput
          label="Operation"
          placeholder="UpdateUsagePlan"
          defaultValue={wanted.operation ?? ""}
          onChange={(event) => look({ operation: event.currentTarget.value })}
        />
        <TextInput
          label="Text"
          placeholder="Anywhere in the change"
          leftSection={<Icon name="search" />}
          defaultValue={wanted.text ?? ""}
          onChange={(event) => look({ text: event.currentTarget.value })}
        />
      </Group>
      {changes.error ? (
        <Problem error={changes.error} again={() => void changes.refetch()} />
      ) : changes.isPending ? (
        <Loading what="changes" />
      ) : rows.length === 0 ? (
        <Empty title="No such change" text="Operations and access keys are looked for whole, texts anywhere in a change." />
      ) : (
        <>
          <Rows
            label="Changes"
            rows={rows}
            id={(row) => String(row.revision)}
            columns={[
              { label: "When", width: "180px", cell: (row) => <Time at={row.at} /> },
              { label: "Operation", width: "220px", cell: (row) => <Badge variant="light" tt="none">{row.operation}</Badge> },
              { label: "Who", width: "200px", cell: (row) => <code>{row.who}</code> },
              { label: "What", width: "3fr", cell: (row) => <span className="quiet">{brief(row.what)}</span> },
              {
                label: "",
                width: "90px",
                cell: (row) => (
                  <Button size="compact-xs" variant="subtle" onClick={() => setOpen(row)} aria-label={`Details of change ${row.revision}`}>
                    Details
                  </Button>
                ),
              },
            ]}
          />
          {changes.hasNextPage && (
            <Group>
              <Button variant="default" size="xs" loading={changes.isFetchingNextPage} onClick={() => void changes.fetchNextPage()}>
                Earlier changes
              </Button>
            </Group>
          )}
        </>
      )}
      <Dialog opened={open !== undefined} onClose={() => setOpen(undefined)} size="lg" title={open?.operation ?? ""}>
        {open && (
          <Stack>
            <Table variant="vertical" aria-label="The change">
              <Table.Tbody>
                {[
                  ["When", utc(open.at)],
                  ["Who", open.who],
                  ["From", open.sourceIp || "–"],
                  ["Request", open.requestId],
                  ["Revision", String(open.revision)],
                ].map(([name, value]) => (
                  <Table.Tr key={name}>
                    <Table.Th w={100}>{name}</Table.Th>
                    <Table.Td>{value}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
            <Code block tabIndex={0} aria-label="What was asked for">
              {JSON.stringify(open.what, null, 2)}
            </Code>
          </Stack>
        )}
      </Dialog>
    </Page>
  );
}

/** The members that say most, in one line. */
function brief(what: unknown): string {
  const text = JSON.stringify(what) ?? "";
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}
