// What a handler's page can do to the panel: nothing.

import assert from "node:assert/strict";
import { signIn } from "./steps.mjs";

const SESSION = "__Host-wasmcloud";
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/** The cookies that the browser sends to the panel and the panel reads. Others on its host mean nothing to it. */
async function cookies(context, api) {
  const all = (await context.cookies(api)).filter(({ name }) => name.startsWith(SESSION));
  return all.map(({ name, value }) => `${name}=${value}`).sort();
}

/** Whether the session is as good as before. */
async function is_signed_in(page, api) {
  await page.goto(`${api}/handlers`);
  return new URL(page.url()).pathname === "/handlers";
}

export async function a_handlers_page_reaches_nothing_of_the_panel({ page, context, api, fact }) {
  await signIn(page, fact);
  const before = await cookies(context, api);
  assert.ok(before.some((cookie) => cookie.startsWith(`${SESSION}=`)), before.join());
  const secret = before.find((cookie) => cookie.startsWith(`${SESSION}=`)).split("=")[1];

  // Each is a place where handlers answer: a host of its own, and where there is one, the path of the same host.
  for (const place of fact.places) {
    const evil = await context.newPage();
    const framed = [];
    evil.on("framenavigated", (frame) => framed.push(frame.url()));
    const answer = await evil.goto(`${place}#${encodeURIComponent(api)}`);
    assert.equal(answer.status(), 200, place);
    assert.equal((await answer.allHeaders())["set-cookie"]?.includes(SESSION) ?? false, false, "no handler sets it");
    const tried = await evil.evaluate(() => window.tried);
    assert.ok(!tried.cookie.includes("wasmcloud"), `${place} reads ${tried.cookie}`);
    for (const what of ["fetched", "api", "opaque", "signed_out", "header"]) assert.equal(tried[what], "TypeError", `${place} ${what}`);
    // Framing ends in the browser's own page, which nobody looks into.
    assert.ok(["SecurityError", "TypeError"].includes(tried.framed), `${place}: ${tried.framed}`);
    assert.ok(!framed.includes(`${api}/handlers`), `${place} frames ${framed}`);
    assert.ok(!(await evil.content()).includes(secret));

    // Nor is the panel in reach where it was opened, and it does not know who opened it.
    const popup = context.waitForEvent("page");
    await evil.locator("#open").click();
    const opened = await popup;
    await opened.waitForURL(`${api}/handlers`);
    const reached = await evil.evaluate(() => window.reached());
    assert.ok(reached.closed || ["SecurityError", "TypeError"].includes(reached.document), JSON.stringify(reached));
    assert.ok(["SecurityError", "TypeError"].includes(reached.document), JSON.stringify(reached));
    assert.equal(await opened.evaluate(() => window.opener === null), true, `${place} is the opener`);
    await opened.close();

    // A form that is sent from there is refused, and nothing is done.
    await evil.locator("#post").click();
    await evil.waitForURL(`${api}/sign-out`);
    assert.match(await evil.locator("main").innerText(), /form/);
    assert.equal((await evil.request.get(`${api}/assets/none/none`)).status(), 404);
    await evil.close();

    assert.deepEqual(await cookies(context, api), before, `${place} changes the panel's cookies`);
    if (new URL(place).hostname !== new URL(api).hostname) {
      const all = (await context.cookies(api)).map(({ name }) => name);
      assert.ok(!all.includes("theirs"), `${place} sets a cookie for the panel's host`);
    }
    assert.ok(await is_signed_in(page, api), `${place} ends the session`);
  }
}

export async function the_session_is_in_a_cookie_that_only_this_host_has_and_no_script_reads({ page, context, api, fact }) {
  await signIn(page, fact);
  const all = await context.cookies();
  const session = all.find((cookie) => cookie.name === SESSION);
  assert.equal(session.httpOnly, true);
  assert.equal(session.secure, true);
  assert.equal(session.sameSite, "Lax");
  assert.equal(session.path, "/");
  // Without a dot before it: for no other host.
  assert.equal(session.domain, new URL(api).hostname);
  assert.ok(session.expires > Date.now() / 1000, "it outlasts the browser");
  for (const cookie of all) {
    assert.ok(cookie.name.startsWith("__Host-"), cookie.name);
    assert.ok(cookie.httpOnly && cookie.secure, cookie.name);
  }
  assert.equal(await page.evaluate(() => document.cookie), "");
  // It is no token of the API, and the API reads no cookie.
  const direct = await page.request.get(`${api}/api/v1/whoami`);
  assert.equal(direct.status(), 401);
  const token = await fetch(`${api}/api/v1/whoami`, { headers: { authorization: `Bearer ${session.value}` } });
  assert.equal(token.status, 401);
}

export async function the_panel_works_by_the_machines_number_as_well({ page, context, api, fact }) {
  const by_number = api.replace("localhost", "127.0.0.1");
  await signIn(page, { ...fact, api: by_number });
  assert.equal(new URL(page.url()).hostname, "127.0.0.1");
  assert.equal(new URL(page.url()).pathname, "/handlers");
  // Another host, and so another session: the first one does not know of it.
  assert.deepEqual((await context.cookies(api)).filter((cookie) => cookie.name === SESSION), []);
}

export async function every_answer_carries_the_policy({ page, api, fact }) {
  const answers = [];
  page.on("response", (response) => answers.push(response));
  await page.goto(`${api}/sign-in`);
  await signIn(page, fact);
  for (const path of ["/", "/handlers", "/no-such-page", "/account", "/operator"]) await page.goto(`${api}${path}`);
  assert.ok(answers.length > 8, "pages, styles and scripts");
  for (const answer of answers) {
    const headers = await answer.allHeaders();
    const where = `${answer.status()} ${answer.url()}`;
    assert.equal(headers["content-security-policy"], POLICY, where);
    assert.equal(headers["x-content-type-options"], "nosniff", where);
    assert.equal(headers["x-frame-options"], "DENY", where);
    assert.equal(headers["referrer-policy"], "same-origin", where);
    assert.equal(headers["cross-origin-opener-policy"], "same-origin", where);
    const kind = headers["content-type"] ?? "";
    if (kind.startsWith("text/html")) assert.match(headers["cache-control"] ?? "", /no-store/, where);
  }
}

export async function the_first_page_is_below_50_kb({ open, api, fact }) {
  for (const path of ["/sign-in", "/handlers"]) {
    const context = await open();
    const page = await context.newPage();
    if (path !== "/sign-in") {
      await signIn(page, fact);
      // All of it once more, as on a first visit.
      await context.newCDPSession(page).then((session) => session.send("Network.clearBrowserCache"));
    }
    const answers = [];
    page.on("requestfinished", (request) => answers.push(request));
    await page.goto(`${api}${path}`, { waitUntil: "networkidle" });
    let bytes = 0;
    for (const request of answers) {
      const sizes = await request.sizes();
      bytes += sizes.responseBodySize + sizes.responseHeadersSize;
    }
    assert.ok(answers.length > 1, "the page and what it needs");
    assert.ok(bytes > 1000 && bytes < 50_000, `${path} takes ${bytes} bytes`);
    await context.close();
  }
}
