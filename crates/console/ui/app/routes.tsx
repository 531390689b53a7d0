// Every page and its address; what a list looks for and where it stands is part of the address.
import { Button } from "@mantine/core";
import { createRootRoute, createRoute, createRouter, Link } from "@tanstack/react-router";

import { Empty, Page, Problem } from "../parts/Page";
import { ApiDetail } from "../pages/apis/Detail";
import { ApiList } from "../pages/apis/List";
import { AuditLog, type Wanted } from "../pages/audit/Audit";
import { Explain, type Question } from "../pages/explain/Explain";
import { Home } from "../pages/home/Home";
import { KeyDetail } from "../pages/keys/Detail";
import { ImportKeys } from "../pages/keys/Import";
import { KeyList } from "../pages/keys/List";
import { PlanDetail } from "../pages/plans/Detail";
import { PlanList } from "../pages/plans/List";
import { Settings } from "../pages/settings/Settings";
import { Shell } from "./Shell";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <Page title="Nothing here">
      <Empty
        title="There is no such page"
        text="It may have been deleted, or the address is mistyped."
        action={
          <Button component={Link} to="/">
            Home
          </Button>
        }
      />
    </Page>
  ),
  errorComponent: ({ error, reset }) => (
    <Page title="Something broke">
      <Problem error={error} again={reset} />
    </Page>
  ),
});

/** Those members of an address's search that are there. */
function texts<Name extends string>(...names: Name[]) {
  return (search: Record<string, unknown>): Partial<Record<Name, string>> => {
    const found: Partial<Record<Name, string>> = {};
    for (const name of names) {
      const value = search[name];
      if (typeof value === "number" || (typeof value === "string" && value !== "")) found[name] = String(value);
    }
    return found;
  };
}

const home = createRoute({ getParentRoute: () => root, path: "/", component: Home });

const keys = createRoute({
  getParentRoute: () => root,
  path: "/keys",
  component: KeyList,
  validateSearch: texts("find", "position"),
});

const importKeys = createRoute({ getParentRoute: () => root, path: "/keys/import", component: ImportKeys });
const key = createRoute({ getParentRoute: () => root, path: "/keys/$key", component: KeyDetail });

const plans = createRoute({
  getParentRoute: () => root,
  path: "/plans",
  component: PlanList,
  validateSearch: texts("find"),
});
const plan = createRoute({
  getParentRoute: () => root,
  path: "/plans/$plan",
  component: PlanDetail,
  validateSearch: texts("tab"),
});

const apis = createRoute({
  getParentRoute: () => root,
  path: "/apis",
  component: ApiList,
  validateSearch: texts("find"),
});
const api = createRoute({
  getParentRoute: () => root,
  path: "/apis/$api",
  component: ApiDetail,
  validateSearch: texts("tab"),
});

const explain = createRoute({
  getParentRoute: () => root,
  path: "/explain",
  component: Explain,
  validateSearch: (search): Question => texts("api", "stage", "method", "path", "key")(search),
});
const audit = createRoute({
  getParentRoute: () => root,
  path: "/audit",
  component: AuditLog,
  validateSearch: (search): Wanted => texts("who", "operation", "text")(search),
});
const settings = createRoute({ getParentRoute: () => root, path: "/settings", component: Settings });

export const router = createRouter({
  routeTree: root.addChildren([home, apis, api, keys, importKeys, key, plans, plan, explain, audit, settings]),
  basepath: "/console",
  defaultPreload: false,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
