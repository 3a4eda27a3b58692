// Signing in and out.

import assert from "node:assert/strict";
import { problem, says, signIn } from "./steps.mjs";

export async function somebody_signs_in_and_out({ page, api, fact, context }) {
  await page.goto(`${api}/handlers`);
  assert.equal(new URL(page.url()).pathname, "/sign-in", "whoever is not signed in is asked to");
  await signIn(page, fact);
  assert.equal(new URL(page.url()).pathname, "/handlers");
  await page.getByRole("heading", { level: 1, name: "Handlers" }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${api}/sign-in`);
  const session = (await context.cookies()).find((cookie) => cookie.name === "__Host-wasmcloud");
  assert.equal(session, undefined, "the cookie is gone");
  await page.goto(`${api}/handlers`);
  assert.equal(new URL(page.url()).pathname, "/sign-in");
}

export async function a_wrong_password_is_said_at_the_form({ page, api, fact }) {
  await page.goto(`${api}/sign-in`);
  await page.getByLabel("Name").fill(fact.user);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await says(problem(page), /password/);
  assert.equal(await page.getByLabel("Name").inputValue(), fact.user, "the name is still there");
  assert.equal(await page.getByLabel("Password").inputValue(), "", "the password is not");
}
