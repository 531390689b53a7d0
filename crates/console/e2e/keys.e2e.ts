// Keys: made, shown, changed, put into plans, imported both ways, deleted.
import type { Page } from "@playwright/test";

import { accessible, api, expect, test } from "./gateway";

test.beforeEach(async ({ app }) => {
  await app.getByRole("link", { name: "API keys" }).click();
  await expect(app.getByRole("heading", { level: 1, name: "API keys" })).toBeVisible();
});

test("a key is made, shown again, edited, disabled and deleted", async ({ app }) => {
  await app.getByRole("button", { name: "Create key" }).first().click();
  await accessible(app, "the form of a key");
  await app.getByRole("textbox", { name: "Name", exact: true }).fill("alice");
  await app.getByText("Custom", { exact: true }).click();
  await app.getByLabel("Custom value").fill("short");
  const dialog = app.getByRole("dialog");
  await dialog.getByRole("button", { name: "Create key" }).click();
  await expect(app.getByText("A value has 20 to 128 characters")).toBeVisible();
  const value = "custom-value-0123456789-abc";
  await app.getByLabel("Custom value").fill(value);
  await dialog.getByRole("button", { name: "As an AWS CLI command" }).click();
  await expect(app.getByLabel("AWS CLI command", { exact: true })).toContainText("aws apigateway create-api-key --name alice");
  await dialog.getByRole("button", { name: "Create key" }).click();
  await expect(app.getByLabel("the value", { exact: true })).toHaveText(value);
  await app.getByRole("button", { name: "Done" }).click();

  await app.getByRole("link", { name: "alice" }).click();
  await expect(app.getByRole("heading", { level: 1, name: "alice" })).toBeVisible();
  await app.getByRole("button", { name: "Show", exact: true }).click();
  await expect(app.getByLabel("the value", { exact: true })).toHaveText(value);
  await accessible(app, "a key");

  await app.getByRole("button", { name: "Edit" }).click();
  await app.getByLabel("Description").fill("a customer");
  // Somebody else changes the name meanwhile.
  const id = new URL(app.url()).pathname.split("/").at(-1) ?? "";
  await api(app, "PATCH", `/apikeys/${id}`, { patchOperations: [{ op: "replace", path: "/name", value: "alicia" }] });
  await app.getByRole("button", { name: "Save" }).click();
  await expect(app.getByText("Somebody else changed this meanwhile")).toBeVisible();
  await expect(app.getByLabel("Description")).toHaveValue("a customer");
  await app.getByRole("button", { name: "Take theirs" }).click();
  await app.getByLabel("Description").fill("a customer");
  await app.getByRole("button", { name: "Save" }).click();
  await expect(app.getByRole("heading", { level: 1, name: "alicia" })).toBeVisible();

  await app.getByText("Enabled", { exact: true }).click();
  await expect(app.getByText("Disabled: every call with it is refused")).toBeVisible();
  await app.getByRole("button", { name: "Delete" }).click();
  await app.getByRole("button", { name: "Delete the key" }).click();
  await expect(app.getByRole("heading", { level: 1, name: "API keys" })).toBeVisible();
  await expect(app.getByRole("link", { name: "alicia" })).toHaveCount(0);
});

const FILE = `Name,Key,Description,Enabled,UsagePlanIds
imported one,apikey1234abcdefghij0123456789,,TRUE,
imported two,apikey1234abcdefghij0123456790,,FALSE,
bad,short,,TRUE,
`;

async function drop(app: Page, name: string, content: string) {
  const transfer = await app.evaluateHandle(
    ([name, content]) => {
      const data = new DataTransfer();
      data.items.add(new File([content as string], name as string, { type: "text/csv" }));
      return data;
    },
    [name, content],
  );
  await app.getByTestId("drop").dispatchEvent("drop", { dataTransfer: transfer });
}

test("a dropped file is looked at, refused with warnings, then imported without the bad row", async ({ app }) => {
  await app.getByRole("link", { name: "Import" }).first().click();
  await drop(app, "keys.csv", FILE);
  const preview = app.getByRole("region", { name: "What this would do" });
  await expect(preview.getByText("2 new")).toBeVisible();
  await expect(preview.getByText("1 warning", { exact: true })).toBeVisible();
  await expect(preview.getByRole("table", { name: "Warnings" })).toContainText("line 4");
  await accessible(app, "the preview of an import");
  // Nothing is there yet.
  const before = await api<{ item: unknown[] }>(app, "GET", "/apikeys?name=imported");
  expect(before.item).toEqual([]);
  await preview.getByText("Fail on warnings: import nothing").click();
  await expect(preview.getByRole("button", { name: "Import 2 keys" })).toBeDisabled();
  await preview.getByText("Ignore warnings: import the other rows").click();
  await preview.getByRole("button", { name: "Import 2 keys" }).click();
  await expect(app.getByText("2 keys are imported")).toBeVisible();
  await app.getByRole("link", { name: "See the keys" }).click();
  await app.getByLabel("Find keys whose name begins with").fill("imported");
  await expect(app.getByRole("link", { name: "imported two" })).toBeVisible();
  await expect(app.getByRole("row", { name: /imported two/ })).toContainText("disabled");
});

test("what is typed is imported, too, and a file that is none is told", async ({ app }) => {
  await app.getByRole("link", { name: "Import" }).first().click();
  const field = app.getByRole("textbox", { name: "Drop a CSV file here, or type" });
  await field.fill("this,is,nothing");
  await app.getByRole("button", { name: "Preview" }).click();
  await expect(app.getByRole("alert")).toContainText("Missing required column 'Key'");
  await expect(field).toHaveValue("this,is,nothing");
  await field.fill("Name,Key\ntyped,apikey1234abcdefghij0123456799");
  await app.getByRole("button", { name: "Preview" }).click();
  await app.getByRole("button", { name: "Import 1 key" }).click();
  await expect(app.getByText("1 keys are imported")).toBeVisible();
});

test("a file of 100,000 rows is previewed, imported and listed without a stutter", async ({ app }) => {
  test.setTimeout(240_000);
  const rows = Array.from({ length: 100_000 }, (_, n) => `many ${String(n).padStart(6, "0")},many-key-value-${String(n).padStart(12, "0")}`);
  await app.getByRole("link", { name: "Import" }).first().click();
  await drop(app, "many.csv", `Name,Key\n${rows.join("\n")}\n`);
  await expect(app.getByText("100,000 new")).toBeVisible({ timeout: 120_000 });
  await expect(app.getByText("The first 1,000 of 100,000 rows.")).toBeVisible();
  await app.getByRole("button", { name: "Import 100,000 keys" }).click();
  await expect(app.getByText("100,000 keys are imported")).toBeVisible({ timeout: 120_000 });
  await app.getByRole("link", { name: "See the keys" }).click();
  await expect(app.getByRole("table", { name: "API keys" })).toBeVisible();
  // Only what is in sight is drawn.
  expect(await app.getByRole("row").count()).toBeLessThan(60);
  await app.getByRole("button", { name: "Next page" }).click();
  await expect(app).toHaveURL(/position=/);
});
