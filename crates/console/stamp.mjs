// Writes dist/source.sha256: what dist/ was built from, so that a test without Node finds a stale one.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FILES = ["package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"];

function under(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? under(path) : [path];
  });
}

// Names in the order of their bytes, as the test in src/lib.rs sorts them.
const names = [...FILES, ...under("ui")].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
const hash = createHash("sha256");
for (const name of names) {
  const content = readFileSync(name);
  hash.update(`${name}\0${content.length}\0`).update(content);
}
writeFileSync("dist/source.sha256", `${hash.digest("hex")}\n`);
