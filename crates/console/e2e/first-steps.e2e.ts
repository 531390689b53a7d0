// From an empty gateway to 403, 200 and 429 in the three steps of the home page.
import { accessible, expect, test } from "./gateway";

test("three steps lead from nothing to a protected API", async ({ app, gateway }) => {
  await accessible(app, "the empty home page");
  await app.getByText("An example", { exact: true }).click();
  await app.getByRole("button", { name: "Offer the API" }).click();
  await expect(app.getByText("is called at the stage prod")).toBeVisible();

  await app.getByRole("textbox", { name: "Requests", exact: true }).fill("3");
  await app.getByRole("button", { name: "Make the plan" }).click();
  await expect(app.getByText("The plan free says it.")).toBeVisible();

  await app.getByLabel("Customer").fill("alice");
  await app.getByRole("button", { name: "Make the key" }).click();
  const value = await app.getByLabel("the value", { exact: true }).innerText();
  expect(value).toMatch(/^[A-Za-z0-9]{40}$/);
  const command = await app.getByLabel("Command", { exact: true }).innerText();
  const api = /:\d+\/([a-z0-9]{10})\/prod/.exec(command)?.[1] ?? "";

  const call = async (headers: Record<string, string>) => (await fetch(`${gateway.stage(api, "prod")}/pets`, { headers })).status;
  expect(await call({})).toBe(403);
  const statuses = [];
  for (let n = 0; n < 4; n++) statuses.push(await call({ "x-api-key": value }));
  expect(statuses).toEqual([200, 200, 200, 429]);
  await accessible(app, "the home page after the steps");
  await expect(app.getByRole("table", { name: "Busiest keys" })).toContainText("alice");
  await expect(app.getByRole("table", { name: "Refusals by reason" })).toContainText("quota-exceeded");
});
