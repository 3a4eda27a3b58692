// Every page of the panel: whoever can open it can read it, and nothing on it breaks the policy.

import assert from "node:assert/strict";
import { isAccessible, onEveryPage, signIn } from "./steps.mjs";
import { furnish } from "./furnish.mjs";

/** Walks through a part of the panel, and looks at each of its pages. */
async function walk(cast, from, leave, at_least) {
  const { page, api, use } = cast;
  const seen = await onEveryPage(
    page,
    api,
    from,
    async (path, answer) => {
      assert.ok(answer.status() < 400, `${path} was answered with ${answer.status()}`);
      assert.ok(answer.headers()["content-security-policy"], path);
      assert.equal(await page.locator("h1").count(), 1, `${path} has one title`);
      await isAccessible(page, use, path);
    },
    leave,
  );
  for (const kind of at_least) assert.ok(seen.includes(`${kind}?`), `${kind} is not reached; these are: ${seen.join(" ")}`);
}

/** Leaves every path alone that is not below these. */
const beyond = (...roots) => (path) => !roots.some((root) => path === root || path.startsWith(`${root}/`));

export async function the_pages_of_handlers_are_for_everybody(cast) {
  await furnish(cast);
  await signIn(cast.page, cast.fact);
  await walk(cast, ["/handlers"], beyond("/handlers"), ["/handlers", "/handlers/shop"]);
}

export async function the_pages_of_accounts_and_teams_are_for_everybody(cast) {
  await furnish(cast);
  await signIn(cast.page, cast.fact);
  await walk(cast, ["/account", "/teams"], beyond("/account", "/teams", "/device"), ["/account", "/teams"]);
}

export async function the_operators_pages_are_for_everybody(cast) {
  await furnish(cast);
  await signIn(cast.page, cast.fact);
  const pages = ["", "/users", "/users/ada", "/invitations", "/plans", "/plans/standard", "/requests", "/executors", "/audit"];
  await walk(cast, ["/operator"], beyond("/operator"), pages.map((page) => `/operator${page}`));
}

export async function the_pages_before_the_sign_in_are_for_everybody(cast) {
  const { page, api, use } = cast;
  await walk(cast, ["/sign-in", "/register"], beyond("/sign-in", "/register", "/reset"), ["/sign-in", "/register"]);
  // Pages that say what went wrong are pages too.
  for (const [path, status] of [["/no-such-page", 404], ["/operator", 200]]) {
    const answer = await page.goto(`${api}${path}`);
    assert.equal(answer.status(), status, path);
    await isAccessible(page, use, path);
  }
}
