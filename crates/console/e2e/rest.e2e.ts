// The remaining pages and habits: finding, colours, a small screen, a lost page, editing a plan in two tabs, roll-back.
import { accessible, api, expect, test } from "./gateway";

test("Ctrl-K finds what has a name", async ({ app }) => {
  await api(app, "POST", "/apikeys", { name: "findable" });
  await app.keyboard.press("Control+k");
  await app.getByPlaceholder("An API, plan or key by its name or id").fill("findab");
  await expect(app.getByText("findable")).toBeVisible();
  await app.keyboard.press("Enter");
  await expect(app.getByRole("heading", { level: 1, name: "findable" })).toBeVisible();
});

test("every page stands on a small dark screen, and axe finds nothing in either colour", async ({ app, gateway }) => {
  const { id } = await api<{ id: string }>(app, "POST", "/restapis", { name: "small" });
  await api(app, "POST", "/usageplans", { name: "small" });
  const pages = ["", "apis", `apis/${id}`, "plans", "keys", "keys/import", "explain", "audit", "settings", "nowhere"];
  for (const scheme of ["light", "dark"] as const) {
    await app.emulateMedia({ colorScheme: scheme });
    await app.setViewportSize(scheme === "dark" ? { width: 360, height: 780 } : { width: 1440, height: 900 });
    for (const place of pages) {
      await app.goto(gateway.console + place);
      await expect(app.getByRole("heading", { level: 1 })).toBeVisible();
      await accessible(app, `${place || "home"}, ${scheme}`);
      const wider = await app.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      expect(wider, `${place} is wider than the screen`).toBe(false);
    }
  }
});

test("two tabs that edit the same plan do not overwrite each other", async ({ app, context, gateway }) => {
  const { id } = await api<{ id: string }>(app, "POST", "/usageplans", { name: "shared", quota: { limit: 5, period: "DAY" } });
  const other = await context.newPage();
  for (const tab of [app, other]) {
    await tab.goto(`${gateway.console}plans/${id}`);
    await tab.getByRole("button", { name: "Edit" }).click();
  }
  await other.getByRole("textbox", { name: "Requests", exact: true }).fill("50");
  await other.getByRole("button", { name: "Save" }).click();
  await expect(other.getByText("50 a day")).toBeVisible();
  await app.getByRole("textbox", { name: "Requests", exact: true }).fill("7");
  await app.getByRole("button", { name: "Save" }).click();
  await expect(app.getByText("Somebody else changed this meanwhile")).toBeVisible();
  await expect(app.getByText("Different now: quota")).toBeVisible();
  await expect(app.getByRole("textbox", { name: "Requests", exact: true })).toHaveValue("7");
  await app.getByRole("button", { name: "Save" }).click();
  await expect(app.getByText("7 a day")).toBeVisible();
});

test("an earlier deployment is put back", async ({ app, gateway }) => {
  const { id, rootResourceId } = await api<{ id: string; rootResourceId: string }>(app, "POST", "/restapis", { name: "rolled" });
  const at = `/restapis/${id}/resources/${rootResourceId}/methods/GET`;
  const put = async (apiKeyRequired: boolean) => {
    await api(app, "PUT", at, { authorizationType: "NONE", apiKeyRequired });
    await api(app, "PUT", `${at}/integration`, { type: "MOCK", requestTemplates: { "application/json": '{"statusCode":200}' } });
    await api(app, "PUT", `${at}/integration/responses/200`, {});
    await api(app, "POST", `/restapis/${id}/deployments`, { stageName: "prod", description: apiKeyRequired ? "closed" : "open" });
  };
  await put(false);
  await api(app, "DELETE", at);
  await put(true);
  const status = async () => (await fetch(`${gateway.stage(id, "prod")}/`)).status;
  expect(await status()).toBe(403);
  await app.goto(`${gateway.console}apis/${id}?tab=deployments`);
  await app.getByRole("row", { name: /open/ }).getByRole("button", { name: "Put at prod" }).click();
  await app.getByRole("button", { name: "Put it there" }).click();
  await expect(app.getByText("prod serves that deployment")).toBeVisible();
  expect(await status()).toBe(200);
});

test("a resource and a method are made by hand", async ({ app, gateway }) => {
  const { id } = await api<{ id: string }>(app, "POST", "/restapis", { name: "by hand" });
  await app.goto(`${gateway.console}apis/${id}`);
  await app.getByLabel("Create a resource below").fill("{petId}");
  await app.getByRole("button", { name: "Create resource" }).click();
  await expect(app.getByRole("treeitem", { name: "/{petId}" })).toBeVisible();
  await app.getByRole("button", { name: "Create method" }).click();
  await app.getByLabel("URL").fill("not a url");
  await app.getByRole("dialog").getByRole("button", { name: "Create method" }).click();
  await expect(app.getByText("Invalid HTTP endpoint specified for URI")).toBeVisible();
  await expect(app.getByLabel("URL")).toHaveValue("not a url");
  await app.getByLabel("URL").fill("http://127.0.0.1:1/pets/{petId}");
  await app.getByRole("dialog").getByRole("button", { name: "Create method" }).click();
  await expect(app.getByRole("treeitem", { name: "GET key required" })).toBeVisible();
  await app.getByRole("tab", { name: "Stages" }).click();
  await expect(app.getByText("No stages yet")).toBeVisible();
});

test("an access key is made, and the last one stays", async ({ app }) => {
  await app.getByRole("link", { name: "Settings" }).click();
  await app.getByRole("button", { name: "Create access key" }).click();
  await app.getByLabel("Whose is it, or what for?").fill("ci");
  await app.getByRole("button", { name: "Create", exact: true }).click();
  await expect(app.getByLabel("the secret", { exact: true })).toHaveText(/^[A-Za-z0-9]{40}$/);
  await app.getByRole("button", { name: "Done" }).click();
  await app.getByRole("button", { name: "Delete ci" }).click();
  await app.getByRole("button", { name: "Delete the access key" }).click();
  await expect(app.getByText("The access key is deleted")).toBeVisible();
  await app.getByRole("button", { name: "Delete administrator" }).click();
  await app.getByRole("button", { name: "Delete the access key" }).click();
  await expect(app.getByText("This is the last access key.")).toBeVisible();
});
