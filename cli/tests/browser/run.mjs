// Runs one story in a real browser: `node run.mjs STORY.mjs EXPORT`, with what the story needs to know as JSON on
// standard input. The Rust test that starts the platform starts this too: cli/tests/it/stories/panel/mod.rs.
//
// To add a story:
// 1. Export an async function from a file here (a new one, or one of the same matter), named as the sentence that it
//    proves, in snake_case:
//
//        import assert from "node:assert/strict";
//        import { signIn } from "./steps.mjs";
//
//        export async function a_token_is_shown_once({ page, fact, api }) {
//          await signIn(page, fact);
//          await page.goto(`${api}/account/tokens`);
//          …
//        }
//
// 2. Name it in cli/tests/it/stories/panel/FILE.rs (and FILE in the mod.rs beside it, if it is new):
//
//        use super::browser_stories;
//        browser_stories!["tokens.mjs": a_token_is_shown_once];
//
//    which plays it on `wasmcloud serve` of its own, where one registers with invitations. A story that needs another
//    shape, flags, a handler or another person is a test written by hand that calls `plays`.
// 3. Run it: `…/deps/it-HASH a_token_is_shown_once`.
//
// What a story is given:
//   page, context, browser       a page of a context of its own, and what they belong to
//   open(options)                a further context: another person's browser, or one without JavaScript
//   api, edge("label")           addresses: of the panel, and of a handler
//   fact                         `user`, `password` and `token` of the operator, and what the Rust test adds
//   wasmcloud(...words)          the command line as the operator: its standard output
//   call(method, path, body)     the API with the operator's token: `{ status, body }`
//   knock("label", path, more)   a handler, as a client of it: `{ status, text }`
//   file(name, text)             makes a file for the command line, or for an upload; its path
//   fixture(name)                the path of a program in examples/fixtures
//   use(package)                 an npm package that `cargo xtask setup` has installed
//   keep(name, page)             keeps a screenshot and the page's HTML, to look at while one writes the story
//
// Each story fails by itself if a page of the panel breaks its Content-Security-Policy, throws, or asks for anything
// outside this machine. When a story fails, every open page's screenshot and HTML are kept in the folder that the
// failure names. Waiting is Playwright's: locators and `expect`-like polling, never a fixed time.

import { execFile } from "node:child_process";
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

const [file, name] = process.argv.slice(2);
const fact = JSON.parse(readFileSync(0, "utf8"));

/** How long any one step may take, in milliseconds. Only a failing story waits for so long. */
const STEP_MS_MAX = 15_000;
/** What names lead to this machine; every other name leads nowhere. */
const HERE = ["localhost", "*.localhost", "127.0.0.1"];
const MAPPED = ["*.wasm.test", "*.routed.test"];

const require = createRequire(join(fact.packages, "node_modules", "x"));
const use = async (name) => import(pathToFileURL(require.resolve(name)).href);
const { chromium } = require("playwright-core");

/** What a page did that no page may do. */
const complaints = [];

function watch(context) {
  context.setDefaultTimeout(STEP_MS_MAX);
  context.on("request", (request) => {
    const url = new URL(request.url());
    const local = /(^|\.)(localhost|wasm\.test|routed\.test)$|^127\.0\.0\.1$/.test(url.hostname);
    // What a provider's own pages load is not the panel's matter; it does not get anywhere either.
    const elsewhere = fact.provider && !request.isNavigationRequest() && request.frame().url().startsWith(fact.provider);
    if (["http:", "https:", "ws:", "wss:"].includes(url.protocol) && !local && !elsewhere) {
      complaints.push(`a request left this machine: ${request.method()} ${url}`);
    }
  });
  context.on("weberror", (error) => {
    const page = error.page();
    if (page?.url().startsWith(fact.api)) complaints.push(`a script threw on ${page.url()}: ${error.error()}`);
  });
  context.on("console", (message) => {
    const page = message.page();
    if (page?.url().startsWith(fact.api) && /Content[- ]Security[- ]Policy/i.test(message.text())) {
      complaints.push(`on ${page.url()}: ${message.text()}`);
    }
  });
}

const browser = await chromium.launch({
  executablePath: programOf("chromium"),
  args: [
    // The sandbox does not work for root, and nothing strange is opened.
    ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    `--host-resolver-rules=${[
      ...MAPPED.map((name) => `MAP ${name} 127.0.0.1`),
      "MAP * ~NOTFOUND",
      ...HERE.map((name) => `EXCLUDE ${name}`),
    ].join(",")}`,
  ],
});

function programOf(program) {
  const folders = (process.env.PATH ?? "").split(":");
  for (const folder of folders) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {
      // Not here.
    }
  }
  throw new Error(`${program} is not on the path: run \`cargo xtask setup\``);
}

/** A context of its own: no cookies, and watched. */
async function open(options = {}) {
  // The certificates of the larger shapes are of the tests' own CA.
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB", timezoneId: "UTC", ...options });
  watch(context);
  return context;
}

/** The command line, as the operator. */
async function wasmcloud(...words) {
  const { stdout } = await promisify(execFile)(fact.binary, words, { env: fact.environment, cwd: fact.environment.HOME });
  return stdout.trim();
}

/** The API, with the operator's token. */
async function call(method, path, body) {
  const headers = { authorization: `Bearer ${fact.token}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(`${fact.api}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, body: text && JSON.parse(text) };
}

/** What a handler answers, as any client of it sees it: `{ status, text }`. Names need no resolver here. */
function knock(label, path = "/", { method = "GET", headers = {}, body } = {}) {
  const url = new URL(path, fact.edge.replace("LABEL", label));
  const options = { host: "127.0.0.1", port: url.port, path: url.pathname + url.search, method };
  const secure = { servername: url.hostname, rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    const { request } = url.protocol === "https:" ? https : http;
    const sent = request({ ...options, ...secure, headers: { host: url.host, ...headers } }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode, text: Buffer.concat(parts).toString() }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Keeps how a page looks, and its HTML, for whoever mends the story. */
async function keep(name, page) {
  mkdirSync(fact.output, { recursive: true });
  await page.screenshot({ path: join(fact.output, `${name}.png`), fullPage: true, timeout: 5_000 });
  writeFileSync(join(fact.output, `${name}.html`), `<!-- ${page.url()} -->\n${await page.content()}`);
}

let code = 0;
try {
  const stories = await import(new URL(file, import.meta.url).href);
  const story = stories[name];
  if (!story) throw new Error(`${file} exports no ${name}`);
  const context = await open();
  const cast = {
    browser,
    context,
    page: await context.newPage(),
    open,
    api: fact.api,
    edge: (label) => fact.edge.replace("LABEL", label),
    fact,
    wasmcloud,
    call,
    knock,
    fixture: (name) => join(fact.fixtures, name),
    file: (name, text) => {
      const path = join(fact.environment.HOME, name);
      writeFileSync(path, text);
      return path;
    },
    use,
    keep,
  };
  await story(cast);
  if (complaints.length > 0) throw new Error(complaints.join("\n"));
} catch (error) {
  code = 1;
  console.error(error);
  for (const complaint of complaints) console.error(complaint);
  const pages = browser.contexts().flatMap((context) => context.pages());
  for (const [number, page] of pages.entries()) {
    try {
      await keep(`page-${number + 1}`, page);
      console.error(`page ${number + 1} was ${page.url()}; see ${join(fact.output, `page-${number + 1}.png`)}`);
    } catch (why) {
      console.error(`page ${number + 1} was ${page.url()}, and cannot be kept: ${why.message}`);
    }
  }
}
await browser.close();
process.exit(code);
