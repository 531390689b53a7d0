// Signing in and out; what an ended session, a stopped gateway and a foreign page meet.
import { accessible, api, expect, Gateway, signIn, test } from "./gateway";

test("wrong credentials are refused, right ones open the console, signing out closes it", async ({ page, gateway }) => {
  await page.goto(`${gateway.console}keys`);
  await accessible(page, "the sign-in");
  await page.getByLabel("Access key id").fill(gateway.keys().id);
  await page.getByLabel("Secret access key").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toHaveText("The access key id or the secret is wrong.");
  await expect(page.getByLabel("Access key id")).toHaveValue(gateway.keys().id);
  await signIn(page, gateway);
  // The address that was asked for, not the home page.
  await expect(page.getByRole("heading", { level: 1, name: "API keys" })).toBeVisible();

  await page.getByRole("button", { name: /^Signed in as/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
});

test("a session that ends while somebody types loses nothing", async ({ app, gateway }) => {
  await app.getByRole("link", { name: "API keys" }).click();
  await app.getByRole("button", { name: "Create key" }).first().click();
  await app.getByRole("textbox", { name: "Name", exact: true }).fill("typed before the end");
  // Another tab signs out.
  await app.evaluate(() => fetch("/tollgate/session", { method: "DELETE" }));
  await app.getByRole("dialog").getByRole("button", { name: "Create key" }).click();
  const again = app.getByRole("dialog", { name: "Your session has ended" });
  await expect(again).toBeVisible();
  await signIn(app, gateway);
  // The call that was refused goes on by itself.
  await expect(app.getByRole("dialog", { name: "The key is made" })).toBeVisible();
  await app.getByRole("button", { name: "Done" }).click();
  await expect(app.getByRole("link", { name: "typed before the end" })).toBeVisible();
});

test("a call without the token, or from elsewhere, is refused", async ({ app, gateway }) => {
  const origin = new URL(gateway.console).origin;
  const cookies = await app.context().cookies(origin);
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  expect(cookies.every((one) => one.httpOnly && one.sameSite === "Strict")).toBe(true);
  const { csrfToken } = await app.evaluate(async () => (await fetch("/tollgate/session")).json());
  const call = async (headers: Record<string, string>) => {
    const body = JSON.stringify({ name: "forged" });
    const response = await fetch(`${origin}/apikeys`, { method: "POST", headers: { cookie, ...headers }, body });
    return response.status;
  };
  expect(await call({ origin })).toBe(403);
  expect(await call({ "x-tollgate-csrf": "0".repeat(64), origin })).toBe(403);
  expect(await call({ "x-tollgate-csrf": csrfToken })).toBe(403);
  expect(await call({ "x-tollgate-csrf": csrfToken, origin: "http://evil.example" })).toBe(403);
  expect(await call({ "x-tollgate-csrf": csrfToken, origin })).toBe(201);
});

test("nothing but the gateway's own files may run", async ({ page, gateway }) => {
  const answer = await page.goto(gateway.console);
  const policy = answer?.headers()["content-security-policy"] ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.injected = true";
    document.body.append(script);
    return "injected" in window;
  });
  expect(ran).toBe(false);
});

test("a gateway that stops in the middle of a form", async ({ page }) => {
  const own = await Gateway.start();
  try {
    await page.goto(`${own.console}plans`);
    await signIn(page, own);
    await page.getByRole("button", { name: "Create plan" }).first().click();
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("kept");
    await own.stop();
    await page.getByRole("dialog").getByRole("button", { name: "Create plan" }).click();
    await expect(page.getByRole("alert")).toContainText("Nothing you typed is lost");
    await expect(page.getByRole("textbox", { name: "Name", exact: true })).toHaveValue("kept");
    // A restart signs everybody out; the form outlives that, too.
    await own.startAgain();
    await page.getByRole("dialog").getByRole("button", { name: "Create plan" }).click();
    await expect(page.getByRole("dialog", { name: "Your session has ended" })).toBeVisible();
    await signIn(page, own);
    await expect(page.getByRole("heading", { level: 1, name: "kept" })).toBeVisible();
  } finally {
    await own.end();
  }
});

test("without authentication the console is open on loopback", async ({ page }) => {
  const own = await Gateway.start("--no-auth");
  try {
    await page.goto(own.console);
    await expect(page.getByRole("heading", { level: 1, name: "Home" })).toBeVisible();
    await api(page, "POST", "/apikeys", { name: "open" });
  } finally {
    await own.end();
  }
});

test("sessions last as long as the settings say", async ({ page }) => {
  const own = await Gateway.start("--session-idle-timeout-s", "120", "--session-timeout-s", "300");
  try {
    await page.goto(own.console);
    await signIn(page, own);
    await expect(page.getByRole("heading", { level: 1, name: "Home" })).toBeVisible();
    const { idleTimeoutS } = await page.evaluate(async () => (await fetch("/tollgate/session")).json());
    expect(idleTimeoutS).toBe(120);
    const [cookie] = await page.context().cookies(own.console);
    expect((cookie?.expires ?? 0) - Date.now() / 1000).toBeLessThanOrEqual(301);
  } finally {
    await own.end();
  }
});
