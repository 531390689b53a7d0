// Ctrl-K: any API, plan, key or page by its name or id.
import { Spotlight, type SpotlightActionData } from "@mantine/spotlight";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { whole } from "../api/lists";
import type { ApiKey, RestApi, UsagePlan } from "../api/types";
import { Icon } from "../parts/Icon";

/** Names and ids are fetched when the finder is first opened. */
export function Finder() {
  const navigate = useNavigate();
  const [opened, setOpened] = useState(false);
  const known = useQuery({
    queryKey: ["finder"],
    enabled: opened,
    staleTime: 30_000,
    queryFn: async ({ signal }) => {
      const [apis, plans, keys] = await Promise.all([
        whole<RestApi>("/restapis", {}, signal),
        whole<UsagePlan>("/usageplans", {}, signal),
        whole<ApiKey>("/apikeys", {}, signal),
      ]);
      return { apis: apis.items, plans: plans.items, keys: keys.items };
    },
  });
  const found = (group: "api" | "plan" | "key", to: string, id: string, name: string | undefined): SpotlightActionData => ({
    id: `${group}-${id}`,
    label: name || id,
    description: { api: "API", plan: "Usage plan", key: "API key" }[group] + ` ${id}`,
    keywords: id,
    leftSection: <Icon name={group} />,
    onClick: () => void navigate({ to }),
  });
  const { apis = [], plans = [], keys = [] } = known.data ?? {};
  const pages: [string, string][] = [
    ["Import API keys", "/keys/import"],
    ["Explain a refusal", "/explain"],
    ["Audit log", "/audit"],
    ["Settings", "/settings"],
  ];
  const actions = [
    ...apis.map((api) => found("api", `/apis/${api.id}`, api.id, api.name)),
    ...plans.map((plan) => found("plan", `/plans/${plan.id}`, plan.id, plan.name)),
    ...keys.map((key) => found("key", `/keys/${key.id}`, key.id, key.name)),
    ...pages.map(([label, to]) => ({ id: to, label, onClick: () => void navigate({ to }) })),
  ];
  return (
    <Spotlight
      actions={actions}
      limit={12}
      shortcut={["mod + K"]}
      nothingFound={known.isLoading ? "Looking…" : "Nothing has that name or id."}
      onSpotlightOpen={() => setOpened(true)}
      searchProps={{ placeholder: "An API, plan or key by its name or id", "aria-label": "Find" }}
    />
  );
}
