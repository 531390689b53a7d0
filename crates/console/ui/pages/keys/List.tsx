// API keys: found by the start of their name, page by page.
import { Badge, Button, Group, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";

import { call } from "../../api/client";
import type { ApiKey, Page as ListPage } from "../../api/types";
import { Icon } from "../../parts/Icon";
import { Empty, Loading, Page, Problem } from "../../parts/Page";
import { Rows } from "../../parts/Rows";
import { Time } from "../../parts/Time";

const route = getRouteApi("/keys");

export function KeyList() {
  const { find, position } = route.useSearch();
  const navigate = route.useNavigate();
  const [typed, setTyped] = useState(find ?? "");
  const look = useDebouncedCallback((text: string) => void navigate({ search: text ? { find: text } : {}, replace: true }), 250);
  const keys = useQuery({
    queryKey: ["keys", find, position],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      call<ListPage<ApiKey>>({ path: "/apikeys", query: { name: find, position, limit: 500 }, signal }),
  });
  return (
    <Page title="API keys" intro="Who may call, under which plans. A key names a customer; its plan says how much they may.">
      <TextInput
        aria-label="Find keys whose name begins with"
        placeholder="Name begins with…"
        leftSection={<Icon name="search" />}
        value={typed}
        maw={360}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          look(event.currentTarget.value);
        }}
      />
      {keys.error ? (
        <Problem error={keys.error} again={() => void keys.refetch()} />
      ) : !keys.data ? (
        <Loading what="keys" />
      ) : keys.data.item.length === 0 ? (
        <Empty title={find ? "No key's name begins so" : "No keys yet"} text="A key is made here, or many are imported from a file." />
      ) : (
        <Rows
          label="API keys"
          rows={keys.data.item}
          id={(key) => key.id}
          columns={[
            { label: "Name", width: "2fr", cell: (key) => key.name ?? "–" },
            { label: "Id", width: "120px", cell: (key) => <code>{key.id}</code> },
            {
              label: "State",
              width: "110px",
              cell: (key) => (
                <Badge color={key.enabled ? "teal" : "gray"} variant="light">
                  {key.enabled ? "enabled" : "disabled"}
                </Badge>
              ),
            },
            { label: "Created", width: "1fr", cell: (key) => <Time at={key.createdDate} /> },
          ]}
        />
      )}
      <Group>
        {position && (
          <Button variant="default" size="xs" onClick={() => void navigate({ search: find ? { find } : {} })}>
            First page
          </Button>
        )}
        {keys.data?.position && (
          <Button
            variant="default"
            size="xs"
            onClick={() => void navigate({ search: { ...(find && { find }), position: keys.data.position as string } })}
          >
            Next page
          </Button>
        )}
      </Group>
    </Page>
  );
}
