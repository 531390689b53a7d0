// Takes the pictures of docs/console.md: a gateway with customers and calls, each page light and wide, dark and narrow.
import { join } from "node:path";

import { api, expect, test } from "./gateway";

const FOLDER = process.env["PICTURES"] ?? "test-results";
// What the documentation shows; the others are for looking at.
const SHOWN = new Set(["home-light", "home-dark", "api-light", "keys-light", "usage-light"]);
const OTHERS = join("test-results", "pictures");
const SCREENS = [
  { name: "light", colorScheme: "light", size: { width: 1440, height: 900 } },
  { name: "dark", colorScheme: "dark", size: { width: 390, height: 844 } },
] as const;
const NAMES = ["Aster Logistics", "Birch & Sons", "Cobalt Weather", "Delta Maps, integration tests", "Elm Street Bakery"];

const mock = (body: string) => ({
  type: "mock",
  requestTemplates: { "application/json": '{"statusCode": 200}' },
  responses: { default: { statusCode: "200", responseTemplates: { "application/json": body } } },
});
const keyed = (body: string) => ({
  security: [{ api_key: [] }],
  responses: { "200": { description: "OK" } },
  "x-amazon-apigateway-integration": mock(body),
});
const DEFINITION = {
  openapi: "3.0.1",
  info: { title: "weather", description: "Forecasts and stations", version: "1" },
  paths: {
    "/forecast": { get: keyed('{"sky":"clear"}') },
    "/stations": { get: keyed("[]"), post: keyed("{}") },
    "/stations/{stationId}": { get: keyed("{}") },
  },
  components: { securitySchemes: { api_key: { type: "apiKey", name: "x-api-key", in: "header" } } },
};

test("pictures of the filled pages, and of the empty and the refused one", async ({ app, gateway }) => {
  test.setTimeout(300_000);
  const { id } = await api<{ id: string }>(app, "POST", "/restapis?mode=import", DEFINITION);
  await api(app, "POST", `/restapis/${id}/deployments`, { stageName: "prod", description: "forecasts for everybody" });
  const terms = { quota: { limit: 20, period: "DAY" }, throttle: { rateLimit: 50, burstLimit: 100 } };
  const apiStages = [{ apiId: id, stage: "prod" }];
  const plan = await api<{ id: string }>(app, "POST", "/usageplans", { name: "free", ...terms, apiStages });
  await api(app, "POST", "/usageplans", { name: "business", quota: { limit: 100_000, period: "MONTH" }, apiStages });
  const keys: { id: string; value: string }[] = [];
  for (const [at, name] of NAMES.entries()) {
    const key = await api<{ id: string; value: string }>(app, "POST", "/apikeys", { name, enabled: at !== 3 });
    await api(app, "POST", `/usageplans/${plan.id}/keys`, { keyId: key.id, keyType: "API_KEY" });
    keys.push(key);
  }
  for (const [at, { value }] of keys.entries()) {
    for (let call = 0; call < 23 - 5 * at; call++) {
      await fetch(`${gateway.stage(id, "prod")}/forecast`, { headers: { "x-api-key": value } });
    }
  }
  const first = keys[0]?.id ?? "";
  const pages = {
    home: ["", "table"],
    api: [`apis/${id}`, "tree"],
    keys: ["keys", "table"],
    key: [`keys/${first}`, "table"],
    plans: ["plans", "table"],
    usage: [`plans/${plan.id}?tab=usage`, "table"],
    explain: [`explain?api=${id}&stage=prod&method=GET&path=%2Fforecast&key=${first}`, "list"],
    audit: ["audit", "table"],
    settings: ["settings", "table"],
    empty: ["keys?find=nobody", "search"],
    missing: ["apis/nothing", "alert"],
  };
  for (const { name: screen, colorScheme, size } of SCREENS) {
    await app.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await app.setViewportSize(size);
    for (const [name, [place, filledBy]] of Object.entries(pages)) {
      await app.goto(gateway.console + place);
      await expect(app.getByRole("heading", { level: 1 })).toBeVisible();
      if (filledBy === "table" || filledBy === "tree") await expect(app.getByRole(filledBy).first()).toBeAttached();
      await expect(app.getByLabel(/^Loading/)).toHaveCount(0);
      await app.evaluate(() => document.fonts.ready.then(() => undefined));
      const picture = `${name}-${screen}`;
      const path = join(SHOWN.has(picture) ? FOLDER : OTHERS, `${picture}.png`);
      await app.screenshot({ path, animations: "disabled" });
    }
  }
});
