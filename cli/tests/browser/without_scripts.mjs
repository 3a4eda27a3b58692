// The panel in a browser that runs no JavaScript.

import assert from "node:assert/strict";
import { flash, problem, says, signIn, until } from "./steps.mjs";

export async function the_main_actions_need_no_javascript({ open, api, fact, knock }) {
  const page = await (await open({ javaScriptEnabled: false })).newPage();
  await signIn(page, fact);

  // A handler is made by a form, whose error is on the form.
  await page.goto(`${api}/handlers/new`);
  await page.getByLabel("Name").fill("plain");
  await page.getByLabel("Program").setInputFiles({ name: "no.wasm", mimeType: "application/wasm", buffer: Buffer.from("no") });
  await page.getByRole("button", { name: "Deploy" }).click();
  await problem(page).waitFor();
  assert.equal(await page.getByLabel("Name").inputValue(), "plain");
  await page.getByLabel("Program").setInputFiles(fact.module);
  await page.getByRole("button", { name: "Deploy" }).click();
  await page.waitForURL(`${api}/handlers/plain**`);
  await until(async () => (await knock("plain")).status === 200);

  // A second version, which is not live until it is promoted, and taken back again.
  await page.goto(`${api}/handlers/plain/versions`);
  await page.getByLabel("Program").setInputFiles(fact.module.replace("olin-echo", "olin-about"));
  await page.getByLabel("Do not make it live").check();
  await page.getByRole("button", { name: "Upload" }).click();
  await flash(page).waitFor();
  await page.goto(`${api}/handlers/plain/versions`);
  await page.getByRole("button", { name: "Make live" }).first().click();
  await says(page.getByRole("row", { name: /^2/ }), "live");
  await page.getByRole("button", { name: "Roll back to version 1" }).click();
  await says(page.getByRole("row", { name: /^1/ }), "live");

  // It is run, and what it did is seen.
  await page.goto(`${api}/handlers/plain/try`);
  await page.getByLabel("Path and query").fill("/a/path");
  await page.getByRole("button", { name: "Send" }).click();
  await says(page.locator("#answer-status"), "200");
  await page.goto(`${api}/handlers/plain/invocations`);
  await until(async () => {
    await page.reload();
    return (await page.locator("main tbody tr").count()) > 0;
  });
  await page.locator("main tbody a").first().click();
  await page.locator("#receipt").waitFor();
  await page.goto(`${api}/handlers/plain/log`);
  await page.getByRole("button", { name: "Filter" }).click();

  // A token for a pipeline, and no longer.
  await page.goto(`${api}/account/tokens`);
  await page.getByLabel("What for").fill("a pipeline");
  await page.getByRole("button", { name: "Make the token" }).click();
  const token = (await page.locator(".code code").first().innerText()).trim();
  const known = () => fetch(`${api}/api/v1/whoami`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await known()).status, 200);
  await page.goto(`${api}/account/tokens`);
  assert.ok(!(await page.content()).includes(token), "it is shown once");
  await page.getByRole("button", { name: "Revoke a pipeline" }).click();
  await flash(page).waitFor();
  assert.equal((await known()).status, 401);

  // A team.
  await page.goto(`${api}/teams`);
  await page.getByLabel("Name").fill("printers");
  await page.locator("main form button").first().click();
  await says(page.locator("main"), "printers");

  // And the end of it.
  await page.goto(`${api}/handlers/plain/settings/delete`);
  const name = page.locator("main form input:not([type=hidden])");
  if ((await name.count()) > 0) await name.first().fill("plain");
  await page.getByRole("button", { name: /delete/i }).first().click();
  await page.waitForURL((url) => url.pathname === "/handlers");
  await until(async () => (await knock("plain")).status === 404);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${api}/sign-in`);
}
