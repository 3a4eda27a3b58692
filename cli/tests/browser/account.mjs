// What people do with their own account, and with their teams.

import assert from "node:assert/strict";
import { flash, isAccessible, problem, says, signIn } from "./steps.mjs";

const PASSWORD = "correct horse battery";

export async function a_token_is_made_copied_once_and_revoked({ page, context, api, fact }) {
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: api });
  await signIn(page, fact);
  await page.goto(`${api}/account/tokens`);
  await page.getByLabel("What for").fill("deploys <i>hello</i>");
  for (const scope of ["admin", "deploy", "invoke", "read"]) await page.locator(`[value=${scope}]`).setChecked(scope === "read");
  await page.getByLabel("Limited to handlers").fill("Not A Name");
  await page.getByRole("button", { name: "Make the token" }).click();
  await says(problem(page), "Not");
  assert.equal(await page.getByLabel("What for").inputValue(), "deploys <i>hello</i>", "what was filled in is still there");
  await page.getByLabel("Limited to handlers").fill("hello, bye");
  await page.getByLabel("Ends after").selectOption("7");
  await page.getByRole("button", { name: "Make the token" }).click();
  const token = (await page.locator(".code code").first().innerText()).trim();
  await page.getByRole("button", { name: "Copy" }).first().click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), token);
  const as = (path, method = "GET") =>
    fetch(`${fact.api}/api/v1${path}`, { method, headers: { authorization: `Bearer ${token}` } });
  assert.equal((await as("/whoami")).status, 200);
  assert.equal((await as("/tokens")).status, 403, "it is good for reading alone");
  await page.goto(`${api}/account/tokens`);
  assert.equal(await page.getByText(token).count(), 0, "it is shown once");
  const row = page.getByRole("row", { name: /deploys/ });
  await says(row, "bye, hello");
  await row.getByRole("button", { name: "Revoke" }).click();
  await says(flash(page), "revoked");
  assert.equal((await as("/whoami")).status, 401);
}

export async function a_password_is_changed_and_other_browsers_are_signed_out({ page, open, api, fact }) {
  await signIn(page, fact);
  const other = await (await open()).newPage();
  await signIn(other, fact);
  await page.goto(`${api}/account/password`);
  const fill = async (old, password, again) => {
    await page.getByLabel("Password so far").fill(old);
    await page.getByLabel("New password").fill(password);
    await page.getByLabel("The same again").fill(again);
    await page.getByRole("button", { name: "Change the password" }).click();
  };
  await fill("not the password", PASSWORD, PASSWORD);
  await says(problem(page), /password/);
  await fill(fact.password, PASSWORD, "something else");
  await says(problem(page), "not the same");
  await fill(fact.password, PASSWORD, PASSWORD);
  await page.waitForURL(`${api}/account`);
  await says(flash(page), "Your password is changed");
  await other.goto(`${api}/account`);
  assert.equal(new URL(other.url()).pathname, "/sign-in");
  await signIn(other, { ...fact, password: PASSWORD });
}

export async function sessions_are_listed_and_ended({ page, open, api, fact }) {
  await signIn(page, fact);
  const others = [];
  for (let count = 0; count < 3; count += 1) {
    const other = await (await open()).newPage();
    await signIn(other, fact);
    others.push(other);
  }
  await page.goto(`${api}/account/sessions`);
  await says(page.getByRole("row", { name: "this one" }), "Chrome on Linux");
  await page.getByRole("button", { name: /^End the session/ }).first().click();
  await says(flash(page), "The session has ended");
  await page.getByRole("button", { name: "End all other sessions" }).click();
  await says(flash(page), "2 other sessions have ended");
  for (const other of others) {
    await other.goto(`${api}/handlers`);
    assert.equal(new URL(other.url()).pathname, "/sign-in");
  }
  await page.goto(`${api}/handlers`);
  assert.equal(new URL(page.url()).pathname, "/handlers");
}

export async function a_form_that_is_sent_after_the_session_ended_leads_back({ page, open, api, fact }) {
  await signIn(page, fact);
  await page.goto(`${api}/teams`);
  const other = await (await open()).newPage();
  await signIn(other, fact);
  await other.goto(`${api}/account/sessions`);
  await other.getByRole("button", { name: "End all other sessions" }).click();
  await says(flash(other), "has ended");
  await page.getByLabel("Name").fill("too-late");
  await page.getByRole("button", { name: "Make the team" }).click();
  await page.waitForURL((url) => url.pathname === "/sign-in");
  await page.getByLabel("Name").fill(fact.user);
  await page.getByLabel("Password").fill(fact.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(`${api}/teams`);
}

export async function a_larger_plan_is_applied_for({ page, api, fact, call }) {
  assert.ok((await call("PUT", "/plans/large", { handlers_max: 500 })).status < 300);
  await newcomer(api, call, "ada");
  await signIn(page, { api, user: "ada", password: PASSWORD });
  await page.goto(`${api}/account/quota`);
  await says(page.locator("#used"), "standard");
  assert.equal(await page.locator("meter").count(), 5, "each quota is a bar");
  await page.getByLabel("large").check();
  await page.getByLabel("What for").fill("   ");
  await page.getByRole("button", { name: "Apply" }).click();
  await says(problem(page), /reason/);
  await page.getByLabel("What for").fill("<b>many</b> readers");
  await page.getByRole("button", { name: "Apply" }).click();
  await says(flash(page), "You have applied for large");
  await says(page.locator("[aria-labelledby=asked]"), "waits for a decision");
  await says(page.locator("[aria-labelledby=asked]"), "<b>many</b> readers");
  const { body } = await call("GET", "/plan-requests?all=true");
  await call("POST", `/plan-requests/${body[0].id}/decision`, { approve: true, note: "welcome" });
  await page.reload();
  await says(page.locator("#used"), "large");
  await says(page.locator("[aria-labelledby=asked]"), "welcome");
}

export async function a_team_is_made_joined_left_and_deleted({ page, open, api, fact, call }) {
  await newcomer(api, call, "ada");
  await signIn(page, fact);
  await page.goto(`${api}/teams`);
  await says(page.locator(".empty"), "You belong to no team");
  await page.getByLabel("Name").fill("No Such Name!");
  await page.getByRole("button", { name: "Make the team" }).click();
  await says(problem(page), "No Such Name!");
  await page.getByLabel("Name").fill("crew");
  await page.getByRole("button", { name: "Make the team" }).click();
  await page.waitForURL(`${api}/teams/crew`);
  await page.getByLabel("User", { exact: true }).fill("nobody-here");
  await page.getByRole("button", { name: "Invite" }).click();
  await says(problem(page), "nobody-here");
  await page.getByLabel("User", { exact: true }).fill("ada");
  await page.getByLabel("viewer").check();
  await page.getByRole("button", { name: "Invite" }).click();
  await says(flash(page), "ada is invited as viewer");
  // The last owner cannot leave it to nobody.
  await page.getByRole("button", { name: "Leave" }).click();
  await says(problem(page), /owner/);

  const other = await (await open()).newPage();
  await signIn(other, { api, user: "ada", password: PASSWORD });
  await other.goto(`${api}/teams`);
  await says(other.locator("[aria-labelledby=invitations]"), "crew");
  await other.getByRole("button", { name: "Decline the invitation of crew" }).click();
  await says(flash(other), "You have declined the invitation of crew");
  assert.equal(await other.getByRole("button", { name: /invitation of crew/ }).count(), 0);

  await page.goto(`${api}/teams/crew`);
  await page.getByLabel("User", { exact: true }).fill("ada");
  await page.getByLabel("viewer").check();
  await page.getByRole("button", { name: "Invite" }).click();
  await says(flash(page), "ada is invited as viewer");
  await other.goto(`${api}/teams`);
  await other.getByRole("button", { name: "Accept the invitation of crew" }).click();
  await says(flash(other), "You have accepted the invitation of crew");
  assert.equal(new URL(other.url()).pathname, "/teams/crew");
  assert.equal(await other.getByRole("button", { name: "Invite" }).count(), 0, "who does not own it changes nothing");

  await page.goto(`${api}/teams/crew`);
  await page.getByLabel("Role of ada", { exact: true }).selectOption("deployer");
  await page.getByRole("button", { name: "Set the role of ada" }).click();
  await says(flash(page), "ada is deployer now");
  await other.goto(`${api}/teams/crew`);
  await other.getByRole("link", { name: "Quotas" }).click();
  await says(other.locator("h1"), "Quotas of crew");
  await other.goto(`${api}/teams/crew`);
  await other.getByRole("button", { name: "Leave" }).click();
  await says(flash(other), "You have left crew");

  await page.goto(`${api}/teams/crew`);
  assert.equal(await page.getByRole("row", { name: /ada/ }).count(), 0);
  await page.getByRole("link", { name: "Delete" }).click();
  await page.getByLabel("Type the team's name").fill("another");
  await page.getByRole("button", { name: "Delete the team" }).click();
  await says(problem(page), "what you typed is not");
  await page.getByLabel("Type the team's name").fill("crew");
  await page.getByRole("button", { name: "Delete the team" }).click();
  await says(flash(page), "The team crew is deleted");
}

export async function the_pages_of_an_account_fit_a_phone({ open, api, fact, use, call, keep }) {
  await call("POST", "/teams", { name: "a-team-with-the-longest-name-that-can-be" });
  await call("POST", "/tokens", { label: "x".repeat(100), handlers: ["a-handler-with-the-longest-name-there-is"] });
  const team = "/teams/a-team-with-the-longest-name-that-can-be";
  const paths = ["", "/password", "/tokens", "/sessions", "/identities", "/quota"].map((path) => `/account${path}`);
  for (const colorScheme of ["light", "dark"]) {
    const page = await (await open({ viewport: { width: 320, height: 640 }, colorScheme })).newPage();
    await signIn(page, fact);
    for (const path of [...paths, "/teams", team, `${team}/quota`, `${team}/delete`, "/device", "/device/done"]) {
      const answer = await page.goto(`${api}${path}`);
      assert.equal(answer.status(), 200, path);
      await isAccessible(page, use);
      await keep(`${colorScheme}${path.replaceAll("/", "-")}`, page);
    }
  }
}

/** Makes a user, through the API. */
async function newcomer(api, call, username) {
  const { body } = await call("POST", "/invitations");
  const response = await fetch(`${api}/api/v1/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username, password: PASSWORD, invitation: body.code }),
  });
  assert.equal(response.status, 201, await response.text());
}
