// Chooses an API key by the start of its name, among any number of them.
import { Loader, Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { call } from "../api/client";
import { useKey } from "../api/names";
import type { ApiKey, Page } from "../api/types";

export function KeyPicker({
  value,
  onChange,
  label,
  description,
  required,
}: {
  /** A key's id. */
  value: string | undefined;
  onChange: (id: string | undefined) => void;
  label: string;
  description?: string;
  required?: boolean;
}) {
  const [typed, setTyped] = useState("");
  const [find] = useDebouncedValue(typed, 250);
  const chosen = useKey(value);
  const found = useQuery({
    queryKey: ["keys-by-name", find],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => call<Page<ApiKey>>({ path: "/apikeys", query: { name: find, limit: 50 }, signal }),
  });
  const keys = [...(found.data?.item ?? [])];
  if (chosen.data && !keys.some((key) => key.id === chosen.data.id)) keys.unshift(chosen.data);
  return (
    <Select
      label={label}
      description={description}
      required={required ?? false}
      searchable
      clearable
      placeholder="Name begins with…"
      nothingFoundMessage="No key's name begins so"
      rightSection={found.isFetching ? <Loader size={14} /> : undefined}
      data={keys.map((key) => ({ value: key.id, label: key.name ? `${key.name} (${key.id})` : key.id }))}
      // The gateway has chosen already; names that do not match are not in the list.
      filter={({ options }) => options}
      value={value ?? null}
      onChange={(id) => onChange(id ?? undefined)}
      onSearchChange={(text) => setTyped(text.replace(/ \([a-z0-9]+\)$/, ""))}
    />
  );
}
