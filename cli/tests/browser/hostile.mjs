// What programs write is text on the panel, whatever it looks like.

import assert from "node:assert/strict";
import { signIn, until } from "./steps.mjs";

/** What the fixture logs and answers; a page that took it for HTML would run it. */
const MARKUP = "<img src=/pwned onerror=\"window.pwned=1\"><script>window.pwned=1</script>";

export async function what_a_program_writes_never_runs({ page, open, api, fact, knock, call, edge }) {
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await knock("hostile", "/%3Cscript%3Ewindow.pwned=1%3C%2Fscript%3E?<b>");
  await signIn(page, fact);
  await until(async () => (await call("GET", "/handlers/hostile/invocations")).body.receipts.length > 0);
  const { receipts } = (await call("GET", "/handlers/hostile/invocations")).body;

  const is_text = async (where) => {
    await until(
      async () => (await page.locator("main").innerText()).includes(MARKUP),
      async () => `${where} does not show it: ${await page.locator("main").innerText()}`,
    );
    assert.equal(await page.evaluate(() => window.pwned), undefined, `${where} runs it`);
    assert.equal(await page.locator("main img, main script:not([src])").count(), 0, where);
  };
  await page.goto(`${api}/handlers/hostile/log`);
  await is_text("the log");
  await page.goto(`${api}/handlers/hostile/invocations/${receipts[0].invocation}`);
  await is_text("the invocation");
  await page.goto(`${api}/handlers/hostile/invocations`);
  assert.match(await page.locator("main").innerText(), /script/);
  assert.equal(await page.evaluate(() => window.pwned), undefined);

  // As it streams in, and as a whole without JavaScript.
  await page.goto(`${api}/handlers/hostile/try`);
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#answer-receipt a").waitFor();
  await is_text("the answer");
  const plain = await (await open({ javaScriptEnabled: false })).newPage();
  await signIn(plain, fact);
  await plain.goto(`${api}/handlers/hostile/try`);
  await plain.getByRole("button", { name: "Send" }).click();
  await plain.locator("#answer-receipt a").waitFor();
  assert.ok((await plain.locator("#answer-body").innerText()).includes(MARKUP));
  assert.equal(await plain.locator("main img").count(), 0);

  // The live log, while the line comes.
  await page.goto(`${api}/handlers/hostile/log`);
  const lines = await page.locator("ol.log > li").count();
  await knock("hostile");
  await until(async () => (await page.locator("ol.log > li").count()) > lines);
  await is_text("the live log");
  assert.ok(!asked.some((url) => url.includes("pwned") && !url.startsWith(edge("hostile"))), asked.join("\n"));
}
