// What every test has: a real gateway on an empty directory, a browser signed in to it, and a watch over both.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { test as base, expect, type Page } from "@playwright/test";

const PATIENCE_MS = 60_000;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address ? address.port : 0;
}

/** The real binary, started and stopped. */
export class Gateway {
  private child: ChildProcess | undefined;
  readonly home = mkdtempSync(join(tmpdir(), "tollgate-console-"));

  private constructor(
    readonly dataPort: number,
    readonly controlPort: number,
    private readonly flags: string[],
  ) {}

  static async start(...flags: string[]): Promise<Gateway> {
    const gateway = new Gateway(await freePort(), await freePort(), flags);
    await gateway.startAgain();
    return gateway;
  }

  get console() {
    return `http://127.0.0.1:${this.controlPort}/console/`;
  }

  /** Where an API's stage is called. */
  stage(api: string, stage: string) {
    return `http://127.0.0.1:${this.dataPort}/${api}/${stage}`;
  }

  async startAgain() {
    const binary = process.env["TOLLGATE"];
    if (!binary) throw new Error("set TOLLGATE to the binary to test; `make console-tests` does");
    const planes = ["--data-plane", `127.0.0.1:${this.dataPort}`, "--control-plane", `127.0.0.1:${this.controlPort}`];
    this.child = spawn(binary, ["serve", "--data-dir", this.home, ...planes, ...this.flags], { stdio: "ignore" });
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const ready = await fetch(`http://127.0.0.1:${this.controlPort}/readyz`).catch(() => undefined);
      if (ready?.ok) return;
      if (Date.now() > until || this.child.exitCode !== null) throw new Error("the gateway did not start");
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  async stop() {
    const child = this.child;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await ended;
  }

  async end() {
    await this.stop();
    rmSync(this.home, { recursive: true, force: true });
  }

  /** The administrator's access key. */
  keys(): { id: string; secret: string } {
    const text = readFileSync(join(this.home, "credentials"), "utf8");
    const of = (name: string) => new RegExp(`${name} *= *(\\S+)`).exec(text)?.[1] ?? "";
    return { id: of("aws_access_key_id"), secret: of("aws_secret_access_key") };
  }
}

/** Signs in on the page that is open. */
export async function signIn(page: Page, gateway: Gateway) {
  const { id, secret } = gateway.keys();
  await page.getByLabel("Access key id").fill(id);
  await page.getByLabel("Secret access key").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** A call from the page itself, as the console makes it. */
export async function api<T>(page: Page, method: string, path: string, body?: unknown): Promise<T> {
  return page.evaluate(
    async ([method, path, body]) => {
      const session = await (await fetch("/tollgate/session")).json();
      const headers = { "x-tollgate-csrf": session.csrfToken, "content-type": "application/json" };
      const init: RequestInit = { method: method as string, headers };
      if (body !== undefined) init.body = JSON.stringify(body);
      const response = await fetch(path as string, init);
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return text === "" ? undefined : JSON.parse(text);
    },
    [method, path, body] as const,
  ) as Promise<T>;
}

/** Axe finds nothing. The script is evaluated by the browser's own debugger, which the page's policy does not bind. */
export async function accessible(page: Page, where: string) {
  const axe = readFileSync(join(process.cwd(), "node_modules/axe-core/axe.min.js"), "utf8");
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const run = (window as unknown as { axe: { run: (context: unknown, options: unknown) => Promise<{ violations: { id: string; help: string; nodes: { html: string }[] }[] }> } }).axe;
    const { violations } = await run.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" | ").slice(0, 400)}`);
  });
  expect(found, where).toEqual([]);
}

interface Fixtures {
  gateway: Gateway;
  /** A page of the console, signed in. */
  app: Page;
}

/** `gateway` is shared by the tests of a file; what a page asks elsewhere, or says to its console, fails the test. */
export const test = base.extend<Omit<Fixtures, "gateway">, Pick<Fixtures, "gateway">>({
  gateway: [
    async ({}, use) => {
      const gateway = await Gateway.start();
      await use(gateway);
      await gateway.end();
    },
    { scope: "worker" },
  ],
  app: async ({ page, gateway }, use) => {
    const foreign: string[] = [];
    const said: string[] = [];
    const origin = new URL(gateway.console).origin;
    page.on("request", (request) => {
      const { protocol } = new URL(request.url());
      if (!request.url().startsWith(origin) && protocol !== "data:" && protocol !== "blob:") foreign.push(request.url());
    });
    page.on("pageerror", (error) => said.push(error.message));
    page.on("console", (message) => {
      // A refused call is part of what is tested.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) said.push(message.text());
    });
    await page.goto(gateway.console);
    await signIn(page, gateway);
    await expect(page.getByRole("heading", { level: 1, name: "Home" })).toBeVisible();
    await use(page);
    expect(foreign, "requests to elsewhere").toEqual([]);
    expect(said, "errors of the page").toEqual([]);
  },
});

export { expect };
