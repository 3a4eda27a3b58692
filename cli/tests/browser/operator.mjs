// What operators do on their pages.

import assert from "node:assert/strict";
import { flash, problem, says, signIn, until } from "./steps.mjs";
import { furnish } from "./furnish.mjs";

export async function an_account_is_suspended_and_resumed(cast) {
  const { page, api, fact, call, knock } = cast;
  const { ada } = await furnish(cast);
  const module = await call("GET", "/handlers/shop");
  assert.equal(module.status, 200);
  const given = await call("POST", "/handlers/shop/transfer", { to: "bookshop" });
  assert.equal(given.status, 200, JSON.stringify(given.body));
  await signIn(page, fact);
  await page.goto(`${api}/operator`);
  await page.getByRole("navigation", { name: "Operator" }).getByRole("link", { name: "Users" }).click();
  await page.getByLabel("Name").fill("shop");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("link", { name: "bookshop" }).click();

  // An error on the form: what was filled in is still there.
  await page.getByLabel("Reason").evaluate((field) => field.removeAttribute("required"));
  await page.getByRole("button", { name: "Suspend bookshop" }).click();
  await says(problem(page), /reason/i);
  await page.getByLabel("Reason").fill("Its pages ask for passwords of a bank.");
  await page.getByRole("button", { name: "Suspend bookshop" }).click();
  await says(flash(page), "bookshop is suspended");
  await until(async () => (await knock("shop")).status === 403);
  assert.match((await knock("shop")).text, /passwords of a bank/);

  await page.getByRole("button", { name: "End the suspension" }).click();
  await says(flash(page), "may go on");
  await until(async () => (await knock("shop")).status === 200);
  assert.ok(ada);
}

export async function a_reset_link_sets_a_new_password(cast) {
  const { page, open, api, fact } = cast;
  await furnish(cast);
  await signIn(page, fact);
  await page.goto(`${api}/operator/users/ada`);
  await page.getByRole("button", { name: "Make a reset link" }).click();
  const link = (await page.locator(".notice .code code").innerText()).trim();
  assert.ok(link.startsWith(`${api}/`), link);
  await page.goto(`${api}/operator/users/ada`);
  assert.equal(await page.locator(".notice .code").count(), 0, "it is shown once");

  const hers = await (await open()).newPage();
  await hers.goto(link);
  await hers.getByLabel(/password/i).first().fill("a new one for the books");
  const again = hers.getByLabel(/again|repeat|once more/i);
  if ((await again.count()) > 0) await again.fill("a new one for the books");
  await hers.locator("main form button").first().click();
  await hers.waitForURL((url) => !url.pathname.startsWith("/reset"));
  await signIn(await (await open()).newPage(), { api, user: "ada", password: "a new one for the books" });
}

export async function somebody_becomes_an_operator_and_is_none_any_more(cast) {
  const { page, open, api, fact } = cast;
  await furnish(cast);
  const hers = await (await open()).newPage();
  await signIn(hers, { api, user: "ada", password: "correct horse battery" });
  assert.equal(await hers.getByRole("link", { name: "Operator" }).count(), 0);
  assert.equal((await hers.goto(`${api}/operator/users`)).status(), 404, "for others there is no such page");

  await signIn(page, fact);
  await page.goto(`${api}/operator/users/ada`);
  await page.getByRole("button", { name: "Make ada an operator" }).click();
  await says(flash(page), "ada operates this installation now");
  assert.equal((await hers.goto(`${api}/operator/users`)).status(), 200);
  await page.getByRole("button", { name: "Make ada no operator" }).click();
  await says(flash(page), "ada is no operator any more");
  assert.equal((await hers.goto(`${api}/operator/users`)).status(), 404);
  // Nobody locks themselves out.
  await page.goto(`${api}/operator/users/${fact.user}`);
  await page.getByText("This is you").waitFor();
  assert.equal(await page.getByRole("button", { name: /no operator|^Suspend/ }).count(), 0);
  assert.equal((await page.goto(`${api}/operator`)).status(), 200);
}

export async function an_invitation_is_shown_once_and_taken_back({ page, open, api, fact }) {
  await signIn(page, fact);
  await page.goto(`${api}/operator/invitations`);
  await page.getByRole("button", { name: "Make an invitation" }).click();
  const [code, link] = await page.locator(".notice .code code").allInnerTexts();
  assert.ok(code.length > 10, code);
  assert.equal(link, `${api}/register?invitation=${code}`);
  await page.goto(`${api}/operator/invitations`);
  assert.ok(!(await page.content()).includes(code), "it is shown once");
  await page.getByRole("button", { name: /^Take back/ }).first().click();
  await says(flash(page), "taken back");
  const his = await (await open()).newPage();
  await his.goto(link);
  await his.getByLabel("Name").fill("bob");
  for (const field of await his.locator("input[type=password]").all()) await field.fill("correct horse battery");
  await his.locator("main form button").first().click();
  await problem(his).waitFor();
}

export async function plans_are_made_changed_and_deleted({ page, api, fact, call }) {
  await signIn(page, fact);
  await page.goto(`${api}/operator/plans`);
  await page.getByLabel("Name").fill("readers");
  await page.getByLabel("Storage of modules").fill("much");
  await page.getByRole("button", { name: "Make the plan" }).click();
  await says(problem(page), "`much` is no size");
  assert.equal(await page.getByLabel("Name").inputValue(), "readers");
  await page.getByLabel("Storage of modules").fill("2 GiB");
  await page.getByLabel("CPU time a day").fill("90 min");
  await page.getByRole("button", { name: "Make the plan" }).click();
  await says(flash(page), "The plan readers is there");
  const plan = async () => (await call("GET", "/plans")).body.find((one) => one.name === "readers");
  assert.equal((await plan()).storage_bytes_max, 2 * 1024 ** 3);
  assert.equal((await plan()).cpu_ms_per_day_max, 5_400_000);

  await page.getByRole("link", { name: "Change readers" }).click();
  assert.equal(await page.getByLabel("CPU time a day").inputValue(), "90 min");
  await page.getByLabel("Handlers").fill("7");
  await page.getByRole("button", { name: "Save the plan" }).click();
  await says(flash(page), "changed");
  assert.equal((await plan()).handlers_max, 7);
  await page.getByRole("button", { name: "Delete readers" }).click();
  await says(flash(page), "deleted");
  assert.equal(await plan(), undefined);
}

export async function a_request_for_a_plan_is_approved(cast) {
  const { page, api, fact, call } = cast;
  await furnish(cast);
  await signIn(page, fact);
  await page.goto(`${api}/operator`);
  await page.getByRole("link", { name: "1 request waits for you" }).click();
  await says(page.locator("main"), "My readers come at once");
  await page.getByLabel("Note").fill("Welcome.");
  await page.getByRole("button", { name: "Approve" }).click();
  await says(flash(page), "ada has the plan large");
  assert.equal((await call("GET", "/users/ada")).body.plan, "large");
  await says(page.getByRole("row", { name: /ada/ }), "approved");
}

export async function the_audit_log_is_filtered_and_exported(cast) {
  const { page, api, fact } = cast;
  await furnish(cast);
  await signIn(page, fact);
  await page.goto(`${api}/operator/audit`);
  await page.getByLabel("What", { exact: true }).fill("handler.create");
  await page.getByRole("button", { name: "Show" }).click();
  await says(page.locator("tbody"), "shop");
  const actions = await page.locator("tbody td[data-label=What]").allInnerTexts();
  assert.ok(actions.length > 0 && actions.every((action) => action.trim() === "handler.create"), actions.join());
  for (const [name, file, words] of [["NDJSON", "audit.ndjson", '"action":"handler.create"'], ["CSV", "audit.csv", "handler.create"]]) {
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name }).click();
    const kept = await download;
    assert.equal(kept.suggestedFilename(), file);
    const parts = [];
    for await (const part of await kept.createReadStream()) parts.push(part);
    const text = Buffer.concat(parts).toString();
    assert.ok(text.includes(words), text);
    assert.ok(!text.includes("handler.delete"));
  }
  await page.goto(`${api}/operator/executors`);
  await says(page.locator("tbody"), "healthy");
}
