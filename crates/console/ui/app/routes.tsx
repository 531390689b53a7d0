// Every page and its address; what a list looks for and where it stands is part of the address.
import { Button } from "@mantine/core";
import { createRootRoute, createRoute, createRouter, Link } from "@tanstack/react-router";

import { Empty, Page, Problem } from "../parts/Page";
import { Home } from "../pages/home/Home";
import { KeyDetail } from "../pages/keys/Detail";
import { ImportKeys } from "../pages/keys/Import";
import { KeyList } from "../pages/keys/List";
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

/** A text of the address, or none. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : typeof value === "number" ? String(value) : undefined;
}

const home = createRoute({ getParentRoute: () => root, path: "/", component: Home });

const keys = createRoute({
  getParentRoute: () => root,
  path: "/keys",
  component: KeyList,
  validateSearch: (search: Record<string, unknown>): { find?: string; position?: string } => ({
    ...(text(search["find"]) && { find: text(search["find"]) as string }),
    ...(text(search["position"]) && { position: text(search["position"]) as string }),
  }),
});

const importKeys = createRoute({ getParentRoute: () => root, path: "/keys/import", component: ImportKeys });
const key = createRoute({ getParentRoute: () => root, path: "/keys/$key", component: KeyDetail });

export const router = createRouter({
  routeTree: root.addChildren([home, keys, importKeys, key]),
  basepath: "/console",
  defaultPreload: false,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
