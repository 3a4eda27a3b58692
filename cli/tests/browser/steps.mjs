// What people do again and again on the panel, and what is looked at again and again.

import assert from "node:assert/strict";

/** Signs in by the form, as the operator or whoever is named. */
export async function signIn(page, { api, user, password }) {
  await page.goto(`${api}/sign-in`);
  await page.getByLabel("Name").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL((url) => url.pathname !== "/sign-in");
}

/** The sentence that says what was done. */
export function flash(page) {
  return page.locator(".flash[role=status]");
}

/** What went wrong, at the top of a form or a page. */
export function problem(page) {
  return page.locator("[role=alert]");
}

/** Expects these words in a locator, once they are there. */
export async function says(locator, words) {
  await locator.first().waitFor();
  await until(async () => matches(await locator.first().innerText(), words), async () => {
    return `no ${words} in: ${await locator.first().innerText()}`;
  });
}

function matches(text, words) {
  return words instanceof RegExp ? words.test(text) : text.includes(words);
}

/** Looks until it is so; fails after 15 seconds. */
export async function until(look, why = async () => "it did not come to be") {
  const deadline = Date.now() + 15_000;
  while (!(await look())) {
    if (Date.now() > deadline) assert.fail(await why());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What axe looks for: WCAG 2.2, A and AA. */
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
/** What depends on colours and on the window's width. */
const LOOKS = ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"];

/**
 * Expects that a page has nothing that WCAG 2.2 A and AA forbid, as far as a program can tell: light and dark, in a wide
 * window and in one of 320 px, which it has to fit into.
 */
export async function isAccessible(page, use, where = page.url()) {
  const { default: axe } = await use("axe-core");
  await page.evaluate(axe.source);
  const run = async (only) => {
    const { violations } = await page.evaluate((runOnly) => globalThis.axe.run({ runOnly, resultTypes: ["violations"] }), only);
    return violations.map(({ id, help, nodes }) => {
      const what = nodes.map((node) => `    ${node.html}\n    ${node.failureSummary.replaceAll("\n", "\n    ")}`);
      return `${id}: ${help}\n${what.join("\n")}`;
    });
  };
  const all = { type: "tag", values: WCAG };
  const looks = { type: "rule", values: LOOKS };
  for (const [colorScheme, width, only] of [
    ["light", 1200, all],
    ["dark", 1200, looks],
    ["dark", 320, all],
    ["light", 320, looks],
  ]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 800 });
    await settled(page);
    const said = await run(only);
    assert.equal(said.length, 0, `${where}, ${colorScheme}, ${width} px:\n${said.join("\n")}`);
    await fits(page, `${where}, ${colorScheme}`);
  }
}

/** Waits until colours have changed: a transition in its middle has another contrast. */
async function settled(page) {
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)));
}

/** Expects that a page is no wider than the window. */
export async function fits(page, where = page.url()) {
  const [content, window] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.ok(content <= window, `${where}: ${content} px wide in a window of ${window} px`);
}

/**
 * Walks through the panel by its links from these paths on, and does something on every page: of pages that only
 * differ in an id, a number or the query, on the first.
 */
export async function onEveryPage(page, api, from, visit, leave = () => false) {
  const open = [...from];
  const seen = new Set();
  while (open.length > 0) {
    const path = open.shift();
    const kind = kindOf(path);
    if (seen.has(kind)) continue;
    seen.add(kind);
    const answer = await page.goto(`${api}${path}`);
    await visit(path, answer);
    const links = await page.locator("a[href]:not([download])").evaluateAll((all) => all.map((one) => one.href));
    for (const link of links) {
      const url = new URL(link);
      if (url.origin === new URL(api).origin && !leave(url.pathname)) open.push(url.pathname + url.search);
    }
  }
  return [...seen].sort();
}

/** The path with ids and numbers as `*`, and of the query the names. */
function kindOf(path) {
  const url = new URL(path, "http://here");
  const segments = url.pathname.split("/").map((one) => (/^([0-9a-f-]{32,}|\d+)$/.test(one) ? "*" : one));
  return `${segments.join("/")}?${[...new Set(url.searchParams.keys())].sort().join("&")}`;
}
