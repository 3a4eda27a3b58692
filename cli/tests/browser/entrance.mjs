// Ways in: by keyboard alone, without JavaScript, as a newcomer, with an operator's code, through a provider of OpenID
// Connect, and for programs that ask for a token.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { fits, flash, isAccessible, problem, says, signIn, until } from "./steps.mjs";

/** A password that is long enough. */
const PASSWORD = "correct horse battery";

export async function somebody_signs_in_with_the_keyboard_alone({ page, api, fact }) {
  await page.goto(`${api}/sign-in`);
  // The first field has the focus already.
  await page.keyboard.type(fact.user);
  await page.keyboard.press("Tab");
  await page.keyboard.type(fact.password);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${api}/handlers`);
  await page.keyboard.press("Tab");
  const first = page.locator(":focus");
  assert.equal(await first.innerText(), "Skip to the page");
  assert.ok((await first.boundingBox()).y >= 0, "the way past the navigation is seen once it has the focus");
  await page.keyboard.press("Enter");
  await until(async () => (await page.evaluate(() => document.activeElement.id)) === "main");
  // On to the account, and out, without a mouse.
  await page.getByRole("link", { name: "Account" }).focus();
  const outline = await page.locator(":focus").evaluate((element) => getComputedStyle(element).outlineStyle);
  assert.notEqual(outline, "none", "the focus is seen");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${api}/account`);
  await page.getByRole("button", { name: "Sign out" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(`${api}/sign-in`);
}

export async function an_account_is_looked_after_without_javascript({ open, api, fact }) {
  const page = await (await open({ javaScriptEnabled: false })).newPage();
  await signIn(page, fact);
  await page.goto(`${api}/account/tokens`);
  await page.getByLabel("What for").fill("a pipeline");
  await page.getByRole("button", { name: "Make the token" }).click();
  assert.match(await page.locator(".code code").first().innerText(), /^ey/);
  assert.equal(await page.getByRole("button", { name: "Copy" }).count(), 0, "no button that would do nothing");
  await page.goto(`${api}/teams`);
  await page.getByLabel("Name").fill("quiet-crew");
  await page.getByRole("button", { name: "Make the team" }).click();
  await page.waitForURL(`${api}/teams/quiet-crew`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${api}/sign-in`);
}

export async function a_newcomer_registers_with_an_invitation({ page, api, call }) {
  const { body } = await call("POST", "/invitations");
  await page.goto(`${api}/sign-in`);
  await page.getByRole("link", { name: "Make an account" }).click();
  await page.goto(`${api}/register?invitation=${body.code}`);
  assert.equal(await page.getByLabel("Invitation").inputValue(), body.code);
  await page.getByLabel("Name").fill("admin");
  await page.getByLabel("New password").fill(PASSWORD);
  await page.getByLabel("The same again").fill(`${PASSWORD}!`);
  await page.getByRole("button", { name: "Make the account" }).click();
  await says(problem(page), "the two passwords are not the same");
  await page.getByLabel("New password").fill(PASSWORD);
  await page.getByLabel("The same again").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the account" }).click();
  await says(problem(page), "admin");
  await page.getByLabel("Name").fill("grace");
  await page.getByLabel("New password").fill(PASSWORD);
  await page.getByLabel("The same again").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.waitForURL(`${api}/handlers`);
  await page.goto(`${api}/account/tokens`);
  await says(page.locator(".empty"), "No tokens yet");
}

export async function a_code_of_an_operator_sets_a_new_password({ page, api, call }) {
  await register(api, call, "linus");
  const { body } = await call("POST", "/users/linus/reset");
  await page.goto(`${api}/reset?code=nonsense`);
  const fill = async (password) => {
    await page.getByLabel("New password").fill(password);
    await page.getByLabel("The same again").fill(password);
    await page.getByRole("button", { name: "Set the password" }).click();
  };
  await fill("another long password");
  await says(problem(page), /code/);
  await page.goto(`${api}/reset?code=${body.code}`);
  await fill("another long password");
  await page.waitForURL(`${api}/sign-in`);
  await says(flash(page), "Your new password is set");
  await signIn(page, { api, user: "linus", password: "another long password" });
}

export async function a_program_shows_a_code_and_somebody_approves_it({ page, api, fact, use }) {
  const program = await ask(api, "a <b>laptop</b>");
  await page.goto(`${api}/device`);
  await signInHere(page, fact);
  await page.waitForURL(`${api}/device`);
  await page.getByLabel("Code").fill("AAAA-AAAA");
  await page.getByRole("button", { name: "Go on" }).click();
  await says(problem(page), /code/);
  await page.getByLabel("Code").fill(program.begun.user_code.toLowerCase());
  await page.getByRole("button", { name: "Go on" }).click();
  await says(page.locator(".card"), "a <b>laptop</b>");
  await says(page.locator(".card"), "127.0.0.1");
  await isAccessible(page, use);
  await page.getByRole("button", { name: "Approve" }).click();
  await page.waitForURL(`${api}/device/done`);
  await says(flash(page), "Approved");
  const { status, body } = await program.token();
  assert.equal(status, 200, JSON.stringify(body));
  assert.match(body.token, /^ey/);
}

export async function a_program_that_is_denied_gets_nothing({ page, api, fact }) {
  const program = await ask(api, "somebody else's");
  await page.goto(program.begun.url_with_code);
  await signInHere(page, fact);
  await page.getByRole("button", { name: "Deny" }).click();
  await page.waitForURL(`${api}/device/done`);
  await says(flash(page), "Denied");
  assert.equal((await program.token()).body.error.code, "login_denied");
}

export async function an_approval_leads_back_to_a_program_on_this_machine({ open, api, fact }) {
  // With JavaScript and without: what answers a form leads on to another origin, past `form-action 'self'`.
  for (const javaScriptEnabled of [true, false]) {
    const page = await (await open({ javaScriptEnabled })).newPage();
    const visits = [];
    const server = createServer((request, response) => {
      if (request.url !== "/favicon.ico") visits.push(request.url);
      response.setHeader("content-type", "text/html").end("<!doctype html><title>t</title><h1>You can close this page</h1>");
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address();
    const program = await ask(api, "the command line", port);
    await page.goto(program.begun.url_with_code);
    await signInHere(page, fact);
    await page.getByRole("button", { name: "Approve" }).click();
    await page.waitForURL((url) => url.port === String(port));
    await says(page.locator("h1"), "You can close this page");
    const code = new URL(visits[0], "http://127.0.0.1").searchParams.get("code");
    assert.equal((await program.token(code)).status, 200);
    server.close();
    server.closeAllConnections();
  }
}

export async function a_provider_signs_in_who_is_new_and_who_is_known({ page, open, api, call, use }) {
  const { body } = await call("POST", "/invitations");
  await atProvider(page, api, "ada");
  await says(page.locator("h1"), "Choose a name");
  await isAccessible(page, use);
  await page.getByLabel("Name").fill("admin");
  await page.getByLabel("Invitation").fill(body.code);
  await page.getByRole("button", { name: "Make the account" }).click();
  await says(problem(page), "admin");
  await page.getByLabel("Name").fill("ada-l");
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.waitForURL(`${api}/account`);
  await page.goto(`${api}/account/identities`);
  assert.equal(await page.locator("tbody tr").count(), 1);
  // The only way in is not taken away.
  await page.getByRole("button", { name: /^Unlink/ }).click();
  await says(problem(page), /password/);
  // Another browser: the same person, known by now, comes to where they wanted to go.
  const other = await (await open()).newPage();
  await atProvider(other, api, "ada");
  await other.waitForURL(`${api}/account`);
  await says(other.locator("dl"), "ada-l");
}

export async function an_identity_is_linked_and_unlinked({ page, api, fact }) {
  await signIn(page, fact);
  await page.goto(`${api}/account/identities`);
  await page.getByRole("button", { name: "Link The forge" }).click();
  await throughProvider(page, "root");
  await page.waitForURL(`${api}/account/identities`);
  await says(flash(page), "forge");
  await page.getByRole("button", { name: /^Unlink/ }).click();
  await says(flash(page), "unlinked");
  await says(page.locator(".empty"), "No identities");
}

export async function a_sign_in_of_another_browser_is_refused({ page, open, api }) {
  await page.goto(`${api}/sign-in?next=/account`);
  await page.getByRole("button", { name: "Sign in with The forge" }).click();
  await page.waitForURL((url) => url.pathname.startsWith("/interaction/"));
  // Whoever lures somebody to the end of their own sign-in has no success: the cookie is missing.
  const other = await (await open()).newPage();
  await other.goto(`${api}/sign-in/forge/callback?state=x&code=y`);
  await says(problem(other), "another browser");
}

/** From the sign-in page to the provider, as this person there, and back. */
async function atProvider(page, api, login) {
  await page.goto(`${api}/sign-in?next=/account`);
  await page.getByRole("button", { name: "Sign in with The forge" }).click();
  await throughProvider(page, login);
}

/** Through the provider's own pages. */
async function throughProvider(page, login) {
  await page.waitForURL((url) => url.pathname.startsWith("/interaction/"));
  await page.locator("input[name=login]").fill(login);
  await page.locator("input[name=password]").fill("any");
  await page.locator("button[type=submit]").click();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL((url) => !url.pathname.startsWith("/interaction/") && !url.pathname.startsWith("/auth"));
}

/** Signs in by the form on this very page. */
async function signInHere(page, { user, password }) {
  await page.getByLabel("Name").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** Makes a user, through the API. */
async function register(api, call, username) {
  const { body } = await call("POST", "/invitations");
  const answer = await post(api, "/register", { username, password: PASSWORD, invitation: body.code });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
}

/** Asks for a token as a program does. */
async function ask(api, label, redirect_port) {
  const code_verifier = randomBytes(32).toString("base64url");
  const code_challenge = createHash("sha256").update(code_verifier).digest("base64url");
  const { status, body: begun } = await post(api, "/logins", { label, code_challenge, redirect_port });
  assert.ok(status < 300, JSON.stringify(begun));
  return { begun, token: (code) => post(api, `/logins/${begun.id}/token`, { code_verifier, code }) };
}

async function post(api, path, body) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${api}/api/v1${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

export async function who_comes_over_plain_http_is_told_what_to_do({ page, api, use }) {
  const url = new URL(api);
  // The browser trusts names of this machine, and no others.
  await page.goto(`http://box.wasm.test:${url.port}/sign-in`);
  await says(page.locator(".notice"), `http://box.wasm.test:${url.port}`);
  await isAccessible(page, use);
  for (const host of ["localhost", "127.0.0.1"]) {
    await page.goto(`http://${host}:${url.port}/sign-in`);
    assert.equal(await page.locator(".notice").count(), 0, host);
  }
}

export async function the_pages_before_the_sign_in_fit_a_phone({ open, api, use, keep }) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await (await open({ viewport: { width: 320, height: 640 }, colorScheme })).newPage();
    for (const path of ["/sign-in", "/register", "/reset?code=x"]) {
      await page.goto(`${api}${path}`);
      await fits(page);
      await isAccessible(page, use);
    }
    await keep(`sign-in-${colorScheme}`, page);
  }
}
