// Names of APIs, plans and keys, so that pages show them beside ids.
import { useQuery } from "@tanstack/react-query";

import { call, path } from "./client";
import { whole } from "./lists";
import type { ApiKey, Deployment, RestApi, Stage, Status, UsagePlan } from "./types";

/** How the gateway is, and where its data plane listens. */
export function useStatus() {
  return useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => call<Status>({ path: "/status", signal }),
    refetchInterval: 10_000,
  });
}

/** All usage plans. */
export function usePlans() {
  return useQuery({ queryKey: ["plans"], queryFn: ({ signal }) => whole<UsagePlan>("/usageplans", {}, signal) });
}

/** All APIs. */
export function useApis() {
  return useQuery({ queryKey: ["apis"], queryFn: ({ signal }) => whole<RestApi>("/restapis", {}, signal) });
}

/** The stages of an API. */
export function useStages(api: string | undefined) {
  return useQuery({
    queryKey: ["stages", api],
    enabled: api !== undefined && api !== "",
    queryFn: ({ signal }) => call<{ item: Stage[] }>({ path: path`/restapis/${api ?? ""}/stages`, signal }),
  });
}

/** The plans that a key is in. */
export function useKeyPlans(key: string) {
  return useQuery({
    queryKey: ["key-plans", key],
    staleTime: 30_000,
    queryFn: ({ signal }) => whole<UsagePlan>("/usageplans", { keyId: key }, signal),
  });
}

/** One key, without its value. */
export function useKey(key: string | undefined) {
  return useQuery({
    queryKey: ["key", key],
    enabled: key !== undefined && key !== "",
    queryFn: ({ signal }) => call<ApiKey>({ path: path`/apikeys/${key ?? ""}`, signal }),
  });
}

/** The methods deployed at a stage: `/pets/{id}/GET`. */
export function useDeployedMethods(api: string, stage: string) {
  return useQuery({
    queryKey: ["deployed-methods", api, stage],
    queryFn: async ({ signal }) => {
      const { deploymentId } = await call<Stage>({ path: path`/restapis/${api}/stages/${stage}`, signal });
      const deployment = await call<Deployment>({
        path: path`/restapis/${api}/deployments/${deploymentId}`,
        query: { embed: "apisummary" },
        signal,
      });
      return Object.entries(deployment.apiSummary ?? {}).flatMap(([resource, verbs]) =>
        Object.keys(verbs).map((verb) => `${resource}/${verb}`),
      );
    },
  });
}
