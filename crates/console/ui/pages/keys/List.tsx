// API keys: found by the start of their name, page by page, with the plans each is in.
import { Anchor, Badge, Button, Group, TextInput } from "@mantine/core";
import { useDebouncedCallback, useDisclosure } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";

import { call } from "../../api/client";
import { useKeyPlans } from "../../api/names";
import type { ApiKey, Page as ListPage } from "../../api/types";
import { Icon } from "../../parts/Icon";
import { Empty, Loading, Page, Problem } from "../../parts/Page";
import { Rows } from "../../parts/Rows";
import { Time } from "../../parts/Time";
import { CreateKey } from "./Create";

const route = getRouteApi("/keys");
/** Keys on a page: AWS's maximum. */
const KEYS_A_PAGE = 500;

export function KeyList() {
  const { find, position } = route.useSearch();
  const navigate = route.useNavigate();
  const [typed, setTyped] = useState(find ?? "");
  const [creating, create] = useDisclosure();
  const look = useDebouncedCallback((text: string) => void navigate({ search: text ? { find: text } : {}, replace: true }), 250);
  const keys = useQuery({
    queryKey: ["keys", find, position],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      call<ListPage<ApiKey>>({ path: "/apikeys", query: { name: find, position, limit: KEYS_A_PAGE }, signal }),
  });
  const page = keys.data;
  const importing = (
    <Button component={Link} to="/keys/import" variant="default" leftSection={<Icon name="upload" />}>
      Import
    </Button>
  );
  const creator = (
    <Button onClick={create.open} leftSection={<Icon name="plus" />}>
      Create key
    </Button>
  );
  return (
    <Page
      title="API keys"
      intro="Who may call, under which plans. A key names a customer; its plan says how much they may."
      actions={
        <>
          {importing}
          {creator}
        </>
      }
    >
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
      ) : !page ? (
        <Loading what="keys" />
      ) : page.item.length === 0 ? (
        <Empty
          title={find ? "No key's name begins so" : "No keys yet"}
          text={
            find
              ? "Capitals and small letters are different, as on AWS."
              : "Make a key for your first customer, or import those you have from a CSV file."
          }
          action={find ? undefined : <Group justify="center">{[importing, creator]}</Group>}
        />
      ) : (
        <Rows
          label="API keys"
          rows={page.item}
          id={(key) => key.id}
          columns={[
            {
              label: "Name",
              width: "2fr",
              cell: (key) => (
                <Anchor component={Link} to={`/keys/${key.id}`} size="sm">
                  {key.name ?? key.id}
                </Anchor>
              ),
            },
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
            { label: "Plans", width: "2fr", cell: (key) => <PlanNames id={key.id} /> },
            { label: "Created", width: "180px", cell: (key) => <Time at={key.createdDate} /> },
          ]}
        />
      )}
      <Group>
        {position && (
          <Button variant="default" size="xs" onClick={() => void navigate({ search: find ? { find } : {} })}>
            First page
          </Button>
        )}
        {page?.position && (
          <Button
            variant="default"
            size="xs"
            onClick={() => void navigate({ search: { ...(find && { find }), position: page.position as string } })}
          >
            Next page
          </Button>
        )}
      </Group>
      <CreateKey opened={creating} onClose={create.close} />
    </Page>
  );
}

/** Asked for the rows in sight only. */
function PlanNames({ id }: { id: string }) {
  const plans = useKeyPlans(id);
  const names = plans.data?.items.map((plan) => plan.name) ?? [];
  return <span className="quiet">{plans.data ? names.join(", ") || "none" : "…"}</span>;
}
