// AWS's two guides for API owners, walked in the browser: protect a method with a key, and hold its callers to a plan.
import { accessible, expect, test } from "./gateway";

test("from an empty gateway to 403, 200, 429 and the usage chart", async ({ app, gateway }) => {
  // The API, from OpenAPI.
  await app.getByRole("link", { name: "APIs" }).click();
  await app.getByRole("button", { name: "Create API" }).first().click();
  const mock = '{"type":"mock","requestTemplates":{"application/json":"{\\"statusCode\\":200}"},"responses":{"default":{"statusCode":"200"}}}';
  const definition = `{"openapi":"3.0.1","info":{"title":"pets","version":"1"},"paths":{"/pets":{"get":{"responses":{"200":{"description":"OK"}},"x-amazon-apigateway-integration":${mock}}}}}`;
  await app.getByLabel(/paste OpenAPI/).fill(definition);
  await accessible(app, "the form of an API");
  await app.getByRole("dialog").getByRole("button", { name: "Create API" }).click();
  await expect(app.getByRole("heading", { level: 1, name: "pets" })).toBeVisible();
  const id = new URL(app.url()).pathname.split("/").at(-1) ?? "";

  // Guide one: the method request requires a key, and the API is deployed.
  await app.getByRole("treeitem", { name: "GET" }).click();
  await app.getByText("API Key Required").click();
  await expect(app.getByRole("treeitem", { name: "GET key required" })).toBeVisible();
  await accessible(app, "a method");
  await app.getByRole("button", { name: "Deploy", exact: true }).click();
  await expect(app.getByRole("table", { name: /What changed/ })).toContainText("GET /pets");
  await app.getByRole("textbox", { name: "Description" }).fill("the first");
  await app.getByRole("button", { name: "Deploy to prod" }).click();
  await expect(app.getByText("Deployed to prod: calls go there from now on")).toBeVisible();
  const call = async (headers: Record<string, string> = {}) => (await fetch(`${gateway.stage(id, "prod")}/pets`, { headers })).status;
  expect(await call()).toBe(403);

  // A key.
  await app.getByRole("link", { name: "API keys" }).click();
  await app.getByRole("button", { name: "Create key" }).first().click();
  await app.getByRole("textbox", { name: "Name", exact: true }).fill("bob");
  await app.getByRole("dialog").getByRole("button", { name: "Create key" }).click();
  const value = await app.getByLabel("the value", { exact: true }).innerText();
  await app.getByRole("button", { name: "Done" }).click();
  expect(await call({ "x-api-key": value })).toBe(403);

  // Guide two: a plan with a throttle and a quota, for the stage and the key.
  await app.getByRole("link", { name: "Usage plans" }).click();
  await app.getByRole("button", { name: "Create plan" }).first().click();
  await app.getByRole("textbox", { name: "Name", exact: true }).fill("basic");
  await app.getByRole("textbox", { name: "Requests", exact: true }).fill("3");
  await app.getByRole("textbox", { name: "Period" }).click();
  await app.getByRole("option", { name: "a day" }).click();
  await expect(app.getByRole("status", { name: "What this means" })).toContainText("3 a day, resets in");
  await accessible(app, "the form of a plan");
  await app.getByRole("dialog").getByRole("button", { name: "Create plan" }).click();
  await expect(app.getByRole("heading", { level: 1, name: "basic" })).toBeVisible();
  await app.getByRole("textbox", { name: "API", exact: true }).click();
  await app.getByRole("option", { name: "pets" }).click();
  await app.getByRole("textbox", { name: "Stage", exact: true }).click();
  await app.getByRole("option", { name: "prod" }).click();
  await app.getByRole("button", { name: "Add stage" }).click();
  await expect(app.getByRole("region", { name: "pets / prod" })).toBeVisible();
  await app.getByRole("tab", { name: "Keys" }).click();
  await app.getByRole("textbox", { name: "Add a key" }).fill("bo");
  await app.getByRole("option", { name: /^bob/ }).click();
  await app.getByRole("button", { name: "Add", exact: true }).click();
  await expect(app.getByRole("table", { name: "Keys of the plan" })).toContainText("bob");

  const statuses = [];
  for (let n = 0; n < 5; n++) statuses.push(await call({ "x-api-key": value }));
  expect(statuses).toEqual([200, 200, 200, 429, 429]);

  // The usage, and more for who ran out.
  await app.getByRole("tab", { name: "Usage" }).click();
  const usage = app.getByRole("table", { name: "Usage by key" });
  await expect(usage.getByRole("row", { name: /bob/ })).toContainText("3");
  await expect(app.getByRole("img", { name: /Requests a day/ })).toBeVisible();
  await accessible(app, "the usage");
  await app.getByRole("button", { name: "Extend bob" }).click();
  await app.getByLabel("Requests left in this window").fill("1");
  await app.getByRole("button", { name: "Set", exact: true }).click();
  await expect(app.getByText("The key has what you gave it")).toBeVisible();
  expect([await call({ "x-api-key": value }), await call({ "x-api-key": value })]).toEqual([200, 429]);

  // The tester meets the same limit, and explains it.
  await app.goto(`${gateway.console}apis/${id}?tab=test`);
  await app.getByLabel("Path below the stage").fill("/pets");
  await app.getByRole("textbox", { name: "Key" }).fill("bo");
  await app.getByRole("option", { name: /^bob/ }).click();
  await app.getByRole("button", { name: "Send" }).click();
  await expect(app.getByRole("region", { name: "Answer" })).toContainText("429");
  await accessible(app, "the tester");
  await app.getByRole("link", { name: "Why? Explain this call" }).click();
  await expect(app.getByText("429: refused")).toBeVisible();
  await expect(app.getByText("Plan's quota")).toBeVisible();
  await accessible(app, "an explanation");

  // Everything is in the audit log.
  await app.getByRole("link", { name: "Audit log" }).click();
  await expect(app.getByRole("table", { name: "Changes" })).toContainText("UpdateUsage");
  await accessible(app, "the audit log");
});
