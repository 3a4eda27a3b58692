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

/** Expects that a page has nothing that WCAG 2.2 A and AA forbid, as far as a program can tell. */
export async function isAccessible(page, use, where = page.url()) {
  const { AxeBuilder } = await use("@axe-core/playwright");
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze();
  const said = violations.map(
    ({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => `    ${node.html}\n    ${node.failureSummary}`).join("\n")}`,
  );
  assert.equal(said.length, 0, `${where}:\n${said.join("\n")}`);
}

/** Expects that a page is no wider than the window. */
export async function fits(page, where = page.url()) {
  const [content, window] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.ok(content <= window, `${where}: ${content} px wide in a window of ${window} px`);
}
