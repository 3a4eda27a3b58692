// The pages that docs/PANEL.md shows: `cargo xtask screenshots` makes its pictures anew by this story.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { furnish } from "./furnish.mjs";
import { signIn, until } from "./steps.mjs";

/** The largest picture of the docs, in bytes. */
const PICTURE_BYTES_MAX = 100_000;

export async function the_pages_that_the_docs_show_look_right(cast) {
  const { open, api, fact, call, knock } = cast;
  await furnish(cast);
  for (let visit = 0; visit < 40; visit += 1) await knock("shop", visit % 9 === 8 ? "/fails" : `/books/${visit}`);
  await until(async () => (await call("GET", "/handlers/shop/invocations?limit=100")).body.receipts.length >= 43);
  const { receipts } = (await call("GET", "/handlers/shop/invocations?limit=100")).body;
  const failed = receipts.find((receipt) => receipt.path === "/fails");

  const context = await open({ colorScheme: "light", reducedMotion: "reduce" });
  const page = await context.newPage();
  const picture = async (name, height = 620, from = "body") => {
    assert.equal(await page.locator("[role=alert]").count(), 0, name);
    if (!fact.images) return;
    await page.setViewportSize({ width: 1000, height });
    await page.locator(from).evaluate((top) => top.scrollIntoView());
    const path = join(fact.images, `${name}.png`);
    await page.screenshot({ path, animations: "disabled", caret: "hide" });
    const { size } = statSync(path);
    assert.ok(size < PICTURE_BYTES_MAX, `${path} has ${size} bytes`);
  };
  await signIn(page, fact);
  await page.goto(`${api}/handlers`);
  await page.getByRole("link", { name: "shop", exact: true }).first().waitFor();
  await picture("panel-handlers", 360);
  await page.goto(`${api}/handlers/shop`);
  await page.getByRole("link", { name: "Last hour" }).click();
  await page.locator("main svg").first().waitFor();
  await picture("panel-handler", 1060);
  await page.goto(`${api}/handlers/shop/log`);
  await page.locator("ol.log > li").first().waitFor();
  await picture("panel-log");
  await page.goto(`${api}/handlers/shop/invocations/${failed.invocation}`);
  await page.locator("meter").first().waitFor();
  await picture("panel-invocation", 900);
  await page.goto(`${api}/handlers/shop/try`);
  await page.getByLabel("Path and query").fill("/books");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#answer-receipt a").waitFor();
  await picture("panel-try", 560, "#answer");
  await page.goto(`${api}/operator`);
  await picture("panel-operator", 900);
}
