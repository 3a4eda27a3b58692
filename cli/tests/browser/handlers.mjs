// The pages of handlers: upload, versions, the live log, trying, settings.

import assert from "node:assert/strict";
import { flash, problem, says, signIn, until } from "./steps.mjs";

/** A program that logs a line and answers a first part at once, and goes on for longer than any test. */
const SLOW = `(module
  (import "cwa" "io_get_stdout" (func $stdout (result i32)))
  (import "cwa" "resource_write" (func $write (param i32 i32 i32) (result i32)))
  (import "cwa" "resource_flush" (func $flush (param i32) (result i32)))
  (import "cwa" "runtime_msleep" (func $msleep (param i32)))
  (import "cwa" "log_write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "Content-Type: text/html\\0a\\0a<b>the first part</b>\\0a")
  (data (i32.const 128) "it has <i>begun</i>")
  (func (export "_start")
    (call $log (i32.const 6) (i32.const 128) (i32.const 19))
    (drop (call $write (call $stdout) (i32.const 32) (i32.const 47)))
    (drop (call $flush (call $stdout)))
    (call $msleep (i32.const 25000))))`;

/** The bytes of a fixture, as a browser uploads them: those of a version that the command line has made of its text. */
async function bytesOf({ wasmcloud, fixture, api, fact }, name) {
  const handler = `of-${name.replace(/[^a-z]/g, "-")}`;
  await wasmcloud("create", fixture(name), "--name", handler);
  const headers = { authorization: `Bearer ${fact.token}` };
  const module = await fetch(`${api}/api/v1/handlers/${handler}/versions/1/module`, { headers });
  return Buffer.from(await module.arrayBuffer());
}

function aFile(name, buffer) {
  return { name, mimeType: "application/wasm", buffer };
}

/** Lets a file fall onto the form, as from a folder. */
async function drop(page, name, bytes) {
  const data = await page.evaluateHandle(
    ([name, bytes]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], name));
      return transfer;
    },
    [name, [...bytes]],
  );
  await page.locator(".drop").dispatchEvent("drop", { dataTransfer: data });
}

const names = async (call) => (await call("GET", "/handlers")).body.map((handler) => handler.name);

export async function a_program_is_dropped_inspected_and_deployed(cast) {
  const { page, api, fact, call, file, knock } = cast;
  const bytes = await bytesOf(cast, "echo.wat");
  await signIn(page, fact);
  await page.goto(`${api}/handlers/new`);
  const deploy = page.getByRole("button", { name: "Deploy" });
  assert.match(await page.getByLabel("Name", { exact: true }).inputValue(), /^[a-z]+-[a-z]+-\d{4}$/, "a name is suggested");
  await page.getByLabel("Name", { exact: true }).fill("dropped");
  assert.ok(await deploy.isDisabled(), "nothing is deployed that was not inspected");

  await page.getByLabel("Program").setInputFiles(file("large.wasm", "x".repeat(33 * 1024 * 1024)));
  await says(problem(page), "33.0 MiB");
  assert.ok(await deploy.isDisabled(), "what is too large is not even sent");

  await drop(page, "notes.txt", Buffer.from("no program"));
  await says(page.locator(".inspection-place"), "cannot run here");
  assert.ok(await deploy.isDisabled(), "what cannot run is not deployed");

  await drop(page, "echo.wasm", bytes);
  await says(page.locator(".inspection-place"), "can run here");
  await says(page.locator(".inspection-place"), "olin");
  await page.locator(".inspection-place summary", { hasText: "cwa" }).click();
  await says(page.locator(".inspection-place"), "resource_read");
  assert.ok(!(await names(call)).includes("dropped"), "so far nothing is kept");

  await deploy.click();
  await page.waitForURL(`${api}/handlers/dropped`);
  await says(flash(page), "dropped answers at");
  await page.getByRole("heading", { level: 1, name: "dropped" }).waitFor();
  assert.equal((await knock("dropped", "/", { method: "POST", body: "tea" })).text, "tea");

  // The same name once more: the error is at the form's top, and what was filled in is there.
  await page.goto(`${api}/handlers/new`);
  await page.getByLabel("Name", { exact: true }).fill("dropped");
  await page.getByLabel("Program").setInputFiles(aFile("echo.wasm", bytes));
  await says(page.locator(".inspection-place"), "can run here");
  await deploy.click();
  await says(problem(page), "dropped");
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "dropped");
}

export async function a_version_is_uploaded_promoted_split_rolled_back_and_deleted(cast) {
  const { page, api, fact, wasmcloud, fixture, knock } = cast;
  const bytes = await bytesOf(cast, "echo.wat");
  await wasmcloud("create", fixture("sleeper.wat"), "--name", "shop");
  await signIn(page, fact);
  await page.goto(`${api}/handlers/shop/versions`);
  await page.getByLabel("Program").setInputFiles(aFile("echo.wasm", bytes));
  await page.getByLabel("Do not make it live").check();
  await says(page.locator(".inspection-place"), "can run here");
  await page.getByRole("button", { name: "Upload" }).click();
  await says(flash(page), "Version 2 is there");
  assert.equal((await knock("shop", "/?0")).text, "slept\n", "the live version is as it was");
  assert.equal((await knock("v2--shop", "/", { method: "POST", body: "tea" })).text, "tea");

  const second = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: /^2/ }) });
  await second.getByLabel(/Percent/).fill("101");
  await second.getByRole("button", { name: "Make live" }).click();
  await says(problem(page), "`101` is no part of the clients");
  assert.equal(await second.getByLabel(/Percent/).inputValue(), "101");
  await second.getByLabel(/Percent/).fill("30");
  await second.getByRole("button", { name: "Make live" }).click();
  await says(flash(page), "Version 2 answers 30 % of the clients.");
  await page.getByRole("button", { name: "End the split with version 2" }).click();
  await says(flash(page), "answers no part");

  await second.getByRole("button", { name: "Make live" }).click();
  await says(flash(page), "Version 2 is live.");
  assert.equal((await knock("shop", "/", { method: "POST", body: "tea" })).text, "tea");
  await page.getByRole("button", { name: "Roll back to version 1" }).click();
  await says(flash(page), "Version 1 is live again.");
  assert.equal((await knock("shop", "/?0")).text, "slept\n");

  // A third that was never live can go.
  await page.getByLabel("Program").setInputFiles(aFile("echo.wasm", bytes));
  await page.getByLabel("Do not make it live").check();
  await says(page.locator(".inspection-place"), "can run here");
  await page.getByRole("button", { name: "Upload" }).click();
  await says(flash(page), "Version 3 is there");
  const third = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: /^3/ }) });
  await third.getByText("Delete…").click();
  await third.getByRole("button", { name: "Delete version 3" }).click();
  await says(flash(page), "Version 3 is gone.");
  assert.equal(await third.count(), 0);
}

export async function the_live_log_shows_lines_as_they_come(cast) {
  const { page, api, fact, wasmcloud, fixture, file, knock } = cast;
  await wasmcloud("create", file("slow.wat", SLOW), "--name", "slow");
  await wasmcloud("create", fixture("stderr.wat"), "--name", "noisy");
  await signIn(page, fact);
  await page.goto(`${api}/handlers/slow/log`);
  await says(page.locator("#log-state"), "Live");
  const lines = page.locator("ol.log li");
  assert.equal(await lines.count(), 0);
  // While it runs, and as text.
  void knock("slow").catch(() => {});
  await says(lines, "it has <i>begun</i>");
  assert.equal(await page.locator("ol.log i").count(), 0);
  await lines.getByRole("link").first().click();
  await says(page.locator("#receipt"), "It still runs");

  await page.goto(`${api}/handlers/noisy/log`);
  await says(page.locator("#log-state"), "Live");
  await knock("noisy");
  await says(page.locator("ol.log"), "a level without a name");
  await says(page.locator("li.error .level"), "error");

  // Only what the filter lets through comes, also of lines to come.
  await page.getByLabel("Level").selectOption("error");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/level=error/);
  await says(page.locator("#log-state"), "Live");
  assert.deepEqual(await page.locator("ol.log .text").allInnerTexts(), ["an error"]);
  await knock("noisy");
  await until(async () => (await lines.count()) === 2);
  assert.deepEqual(await page.locator("ol.log .text").allInnerTexts(), ["an error", "an error"]);
  await page.getByLabel("Level").selectOption("");
  await page.getByLabel("Text").fill("WARNING");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/text=WARNING/);
  assert.deepEqual(await page.locator("ol.log .text").allInnerTexts(), ["a warning", "a warning"]);

  // An invocation that is no id is an error at the form's top.
  await page.getByLabel("Text").fill("");
  await page.getByLabel("Invocation").fill("nonsense");
  await page.getByRole("button", { name: "Filter" }).click();
  await says(problem(page), "invocation");
  assert.equal(await page.getByLabel("Invocation").inputValue(), "nonsense");
}

export async function the_live_log_waits_for_whoever_reads_further_up(cast) {
  const { page, api, fact, wasmcloud, fixture, knock } = cast;
  await wasmcloud("create", fixture("stderr.wat"), "--name", "noisy");
  await signIn(page, fact);
  await page.goto(`${api}/handlers/noisy/log`);
  await says(page.locator("#log-state"), "Live");
  const list = page.locator("ol.log");
  const lines = list.locator("li");
  for (let run = 0; run < 6; run += 1) await knock("noisy");
  await until(async () => list.evaluate((list) => list.scrollHeight > 2 * list.clientHeight));
  const before = await until_still(lines);
  await list.evaluate((list) => { list.scrollTop = 0; });
  await knock("noisy");
  await says(page.locator("#log-go-on"), /Paused: \d+ new lines/);
  assert.equal(await lines.count(), before, "the page stands still");
  await page.locator("#log-go-on").click();
  await until(async () => (await lines.count()) > before);
  assert.ok(await list.evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight < 40), "at its end");
}

export async function a_live_log_that_loses_its_connection_says_so_and_goes_on_where_it_was(cast) {
  const { page, api, fact, wasmcloud, fixture } = cast;
  await wasmcloud("create", fixture("stderr.wat"), "--name", "noisy");
  await signIn(page, fact);
  const line = (seq, text) => {
    const invocation = "01a200d0-82ac-737b-a63c-c322e985f01c";
    const data = { invocation, seq, at: 1795219750123, level: 6, source: "log", text };
    return `retry: 10\nid: at-${seq}\nevent: line\ndata: ${JSON.stringify(data)}\n\n`;
  };
  const asked = [];
  const headers = { "content-type": "text/event-stream" };
  await page.route("**/log/events*", async (route) => {
    asked.push(route.request().url());
    if (asked.length === 1) await route.fulfill({ headers, body: line(0, "before") });
    else if (asked.length === 2) await route.fulfill({ status: 503, body: "not now" });
    else if (asked.length === 3) await route.fulfill({ headers, body: line(0, "before") + line(1, "after") });
  });
  await page.goto(`${api}/handlers/noisy/log`);
  await says(page.locator("ol.log"), "before");
  // The browser connects again by itself, is turned away, and so the script has to begin anew.
  await says(page.locator("#log-state"), "Disconnected, next try in 2 s");
  await says(page.locator("ol.log"), "after");
  assert.equal(new URL(asked[2]).searchParams.get("last"), "at-0");
  assert.deepEqual(await page.locator("ol.log .text").allInnerTexts(), ["before", "after"], "no line twice");
}

/** The number of lines once all of the last run are there: each run has as many. */
async function until_still(lines) {
  let count = 0;
  await until(async () => {
    const texts = await lines.locator(".text").allInnerTexts();
    const runs = texts.filter((text) => text === "an error").length;
    const ends = texts.filter((text) => text === "two" || text === "an unfinished line").length;
    count = texts.length;
    return runs > 0 && ends === 2 * runs;
  });
  return count;
}

export async function trying_a_handler_shows_its_answer_as_it_comes_and_as_text(cast) {
  const { page, api, fact, wasmcloud, fixture, file } = cast;
  await wasmcloud("create", file("slow.wat", SLOW), "--name", "slow");
  await wasmcloud("create", fixture("echo.wat"), "--name", "echo");
  await signIn(page, fact);
  await page.goto(`${api}/handlers/slow/try`);
  await page.getByRole("button", { name: "Send" }).click();
  await says(page.locator("#answer-body"), "<b>the first part</b>");
  await says(page.locator("#answer-status"), "Status 200");
  await says(page.locator("#answer-head"), "content-type: text/html");
  await says(page.locator("#answer-log"), "it has <i>begun</i>");
  assert.equal(await page.locator("#answer b, #answer i").count(), 0, "nothing of it is HTML here");
  assert.equal(await page.locator("#answer-receipt").innerText(), "", "it still runs");
  await page.getByRole("button", { name: "Stop" }).click();
  await says(page.locator("#answer-status"), "Stopped");

  await page.goto(`${api}/handlers/echo/try`);
  await page.getByLabel("Method").fill("POST");
  await page.getByLabel("Body", { exact: true }).fill("grün\nand <script>alert(1)</script>");
  await page.getByRole("button", { name: "Send" }).click();
  await says(page.locator("#answer-receipt"), "ok");
  assert.equal(await page.locator("#answer-body").innerText(), "grün\nand <script>alert(1)</script>");
  await page.getByLabel("Or a file").setInputFiles(aFile("a.bin", Buffer.from([0, 255, 7])));
  await page.getByRole("button", { name: "Send" }).click();
  await says(page.locator("#answer-body"), "0000  00 ff 07");
  await says(page.locator("#answer-size"), "3 B, no text");
  await page.getByRole("link", { name: "Its receipt" }).click();
  await page.waitForURL(/\/invocations\//);
  // Records appear within a second of the answer, and this was quicker.
  await until(async () => (await page.locator("#receipt").count()) > 0 || !(await page.reload()));
  await says(page.locator("#receipt"), "POST /");

  await page.goto(`${api}/handlers/echo/try`);
  await page.getByLabel("Header fields").fill("nonsense");
  await page.getByRole("button", { name: "Send" }).click();
  await says(problem(page), "`nonsense` is no header field");
  assert.equal(await page.getByLabel("Header fields").inputValue(), "nonsense");
}

export async function an_invocation_is_drawn_and_replayed(cast) {
  const { page, api, fact, wasmcloud, fixture, knock, call } = cast;
  await wasmcloud("create", fixture("echo.wat"), "--name", "echo");
  await wasmcloud("create", fixture("trap.wat"), "--name", "broken");
  await signIn(page, fact);
  await page.goto(`${api}/handlers/echo/settings`);
  await page.getByLabel("Methods").fill("get, post");
  await page.getByRole("button", { name: "Record" }).click();
  await says(flash(page), "What is recorded is changed.");
  await knock("echo", "/once", { method: "POST", body: "tea" });
  await until(async () => (await call("GET", "/handlers/echo/invocations")).body.receipts.length === 1);
  await page.goto(`${api}/handlers/echo/invocations`);
  await page.getByRole("rowheader").getByRole("link").first().click();
  await says(page.locator("#receipt"), "POST /once");
  await says(page.locator(".bars"), "Gas");
  await says(page.locator("main"), "resource_read");
  await page.getByRole("button", { name: "Replay" }).click();
  await says(page.locator("#replayed ~ p"), "the same answer");
  await page.getByRole("textbox", { name: "Version" }).fill("9");
  await page.getByRole("button", { name: "Replay" }).click();
  await says(problem(page), "9");
  assert.equal(await page.getByRole("textbox", { name: "Version" }).inputValue(), "9");

  await knock("broken");
  await until(async () => (await call("GET", "/handlers/broken/invocations")).body.receipts.length === 1);
  await page.goto(`${api}/handlers/broken/invocations`);
  await page.getByRole("link", { name: "Failures only" }).click();
  await says(page.getByRole("cell", { name: "trap" }), "trap");
  await page.goto(`${api}/handlers/broken?span=hour`);
  await says(page.locator("main"), "1 invocation in the last hour, 1 of them failed.");
  await page.goto(`${api}/handlers`);
  const row = page.getByRole("row").filter({ hasText: "broken" });
  await row.getByRole("img", { name: "1 invocation in the last 24 hours, 1 failure" }).waitFor();
}

export async function every_form_of_a_handler_says_its_error_and_does_its_work(cast) {
  const { page, api, fact, wasmcloud, fixture } = cast;
  await wasmcloud("create", fixture("env.wat"), "--name", "shop");
  await signIn(page, fact);
  const goes = async (tab) => page.goto(`${api}/handlers/shop/${tab}`);
  const press = async (name) => page.getByRole("button", { name, exact: true }).click();

  await goes("env");
  await page.getByLabel("Name", { exact: true }).fill("1 wrong");
  await page.getByLabel("Value", { exact: true }).fill("hush-hush");
  await press("Set");
  await says(problem(page), "1 wrong");
  assert.equal(await page.getByLabel("Value", { exact: true }).inputValue(), "hush-hush");
  await page.getByLabel("Name", { exact: true }).fill("API_KEY");
  await page.getByRole("checkbox", { name: /^Secret/ }).check();
  await press("Set");
  await says(flash(page), "API_KEY is set");
  assert.ok(!(await page.content()).includes("hush-hush"), "a secret is shown nowhere");
  await page.getByRole("button", { name: "Remove API_KEY" }).click();
  await says(flash(page), "API_KEY is removed.");

  await goes("policy");
  await page.getByLabel("Rule", { exact: true }).fill("^https://(");
  await press("Add rule");
  await says(problem(page), "^https://(");
  assert.equal(await page.getByLabel("Rule", { exact: true }).inputValue(), "^https://(");
  await page.getByLabel("Rule", { exact: true }).fill("^https://api\\.example\\.com/");
  await press("Add rule");
  await says(flash(page), "The rule is added.");
  await page.getByLabel("Gas").fill("99000000000000");
  await press("Set limits");
  await says(problem(page), "99000000000000");
  assert.equal(await page.getByLabel("Gas").inputValue(), "99000000000000");
  await page.getByLabel("Gas").fill("5 000 000");
  await press("Set limits");
  await says(flash(page), "The limits are changed.");
  assert.equal(await page.getByLabel("Gas").inputValue(), "5000000");
  await page.getByLabel("Observe").check();
  await press("Set mode");
  await says(flash(page), "The mode is changed.");
  await page.getByRole("button", { name: /Remove the rule/ }).click();
  await says(flash(page), "The rule is removed.");

  await goes("routes");
  await page.getByLabel("Host", { exact: true }).fill("not a host");
  await press("Add route");
  await says(problem(page), "not a host");
  assert.equal(await page.getByLabel("Host", { exact: true }).inputValue(), "not a host");
  await page.getByLabel("Host", { exact: true }).fill("api.routed.test");
  await page.getByLabel("Path", { exact: true }).fill("/v1");
  await press("Add route");
  await says(flash(page), "api.routed.test/v1 leads here.");
  await says(page.locator(".facts"), "TXT");
  await press("Verify api.routed.test");
  await says(problem(page), /routed\.test|DNS/);
  await page.getByRole("button", { name: "Remove the route api.routed.test/v1" }).click();
  await says(flash(page), "is removed");
  await press("Remove api.routed.test");
  await says(flash(page), "api.routed.test is removed.");

  await goes("settings");
  await page.getByLabel("How many to keep").fill("many");
  await press("Record");
  await says(problem(page), "`many` is no number");
  await page.getByLabel(/Authorization/).check();
  await press("Save");
  await says(flash(page), "The settings are changed.");
  assert.ok(await page.getByLabel(/Authorization/).isChecked());
  await page.getByRole("link", { name: "Delete shop…" }).click();
  await page.getByLabel("Type the handler’s name").fill("sho");
  await press("Delete");
  await says(problem(page), "`sho` is not the name");
  await page.getByLabel("Type the handler’s name").fill("shop");
  await press("Delete");
  await page.waitForURL(`${api}/handlers`);
  await says(flash(page), "shop is deleted.");
}

export async function without_javascript_a_handler_is_made_tried_and_changed(cast) {
  const { open, api, fact, call } = cast;
  const bytes = await bytesOf(cast, "echo.wat");
  const page = await (await open({ javaScriptEnabled: false })).newPage();
  await signIn(page, fact);
  await page.goto(`${api}/handlers/new`);
  await page.getByLabel("Name", { exact: true }).fill("plain");
  await page.getByLabel("Program").setInputFiles(aFile("echo.wasm", bytes));
  await page.getByRole("button", { name: "Inspect first" }).click();
  await says(page.locator(".inspection"), "can run here");
  assert.ok(!(await names(call)).includes("plain"), "so far nothing is kept");
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "plain");
  // A browser does not keep the file; another one is not taken for it.
  await page.getByLabel("Program").setInputFiles(aFile("echo.wasm", Buffer.concat([bytes, Buffer.from([0])])));
  await page.getByRole("button", { name: "Deploy" }).click();
  await says(problem(page), "not the file that was inspected");
  await page.getByLabel("Program").setInputFiles(aFile("echo.wasm", bytes));
  await page.getByRole("button", { name: "Deploy" }).click();
  await page.waitForURL(`${api}/handlers/plain`);
  await says(flash(page), "plain answers at");

  await page.getByRole("link", { name: "Try it", exact: true }).click();
  await page.getByLabel("Method").fill("POST");
  await page.getByLabel("Body", { exact: true }).fill("<b>tea</b>");
  await page.getByRole("button", { name: "Send" }).click();
  await says(page.locator("#answer-body"), "<b>tea</b>");
  await says(page.locator("#answer-receipt"), "ok");
  assert.equal(await page.locator("#answer b").count(), 0);
  assert.equal(await page.getByLabel("Method").inputValue(), "POST");

  await page.getByRole("link", { name: "Log", exact: true }).click();
  await says(page.locator("#log-empty"), "No lines yet.");
  await page.getByRole("link", { name: "Environment" }).click();
  await page.getByLabel("Name", { exact: true }).fill("COLOUR");
  await page.getByLabel("Value", { exact: true }).fill("green");
  await page.getByRole("button", { name: "Set", exact: true }).click();
  await says(flash(page), "COLOUR is set.");
  await says(page.locator("td pre"), "green");
}
