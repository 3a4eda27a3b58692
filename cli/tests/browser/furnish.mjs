// An installation in which something has happened, so that pages have something to show.

import assert from "node:assert/strict";
import { until } from "./steps.mjs";

/** A program that logs a line, and answers another status for each first letter of the path: `/f…` fails. */
const SHOP = `(module
  (import "cwa" "io_get_stdout" (func $stdout (result i32)))
  (import "cwa" "resource_write" (func $write (param i32 i32 i32) (result i32)))
  (import "cwa" "log_write" (func $log (param i32 i32 i32)))
  (import "cwa" "env_get" (func $env (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "PATH_INFO")
  (data (i32.const 32) "Content-Type: text/plain\\0a\\0aWelcome to the shop.\\0a")
  (data (i32.const 96) "a visitor came in")
  (data (i32.const 128) "the till is <b>stuck</b>")
  (func (export "_start")
    (drop (call $env (i32.const 0) (i32.const 9) (i32.const 256) (i32.const 64)))
    (if (i32.eq (i32.load8_u (i32.const 257)) (i32.const 102))
      (then
        (call $log (i32.const 1) (i32.const 128) (i32.const 24))
        (unreachable)))
    (call $log (i32.const 6) (i32.const 96) (i32.const 17))
    (drop (call $write (call $stdout) (i32.const 32) (i32.const 47)))))`;

/** A handler with versions and invocations, a team, a user who asks for a larger plan, a token, an invitation. */
export async function furnish({ wasmcloud, call, knock, fact, file }) {
  const shop = file("shop.wat", SHOP);
  await wasmcloud("create", shop, "--name", "shop");
  await wasmcloud("update", "shop", file("shop-2.wat", `${SHOP} ;; the second`));
  await wasmcloud("env", "set", "shop", "GREETING=Welcome");
  for (const path of ["/", "/books", "/fails"]) await knock("shop", path);
  const said = async (method, path, body, status) => {
    const answer = await call(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  await said("POST", "/teams", { name: "bookshop" }, 201);
  const { code } = await said("POST", "/invitations", undefined, 201);
  await said("POST", "/invitations", undefined, 201);
  await said("PUT", "/plans/large", { handlers_max: 500, cpu_ms_per_day_max: 36_000_000 }, 201);
  const ada = await fetch(`${fact.api}/api/v1/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "ada", password: "correct horse battery", invitation: code }),
  });
  assert.equal(ada.status, 201);
  const { token } = await ada.json();
  const asked = await fetch(`${fact.api}/api/v1/plan-requests`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ plan: "large", reason: "My readers come at once, every morning." }),
  });
  assert.equal(asked.status, 201, await asked.text());
  await until(async () => {
    const { body } = await call("GET", "/handlers/shop/invocations");
    return body.receipts.length >= 3;
  });
  return { ada: token };
}
