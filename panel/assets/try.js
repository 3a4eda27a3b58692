// Trying a handler: the answer is shown as it comes, always as text.
"use strict";
(() => {
  const form = document.querySelector("form.try");
  if (!form || !window.ReadableStream) return;
  const BODY_CHARS_MAX = 256 * 1024;
  const HEX_BYTES_MAX = 256;
  const LINES_MAX = 500;
  const part = (id) => document.querySelector(`#answer${id}`);
  const problem = form.querySelector(".problem-place");
  const run = form.querySelector("button.run");
  const stop = form.querySelector("button.stop");
  const csrf = document.querySelector("meta[name=csrf]").content;
  const names = { 1: "error", 3: "warning", 6: "info", 7: "debug" };
  let abort;

  // As `format.rs` does it: what cannot be seen is shown.
  const hidden = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
  const show = (character) => {
    const code = character.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `\u2039U+${code.toString(16).toUpperCase().padStart(4, "0")}\u203a`;
  };
  const visible = (text) => text.replace(hidden, show);
  const visibleLines = (text) => text.replace(/\r\n/g, "\n")
    .replace(hidden, (character) => (character === "\n" || character === "\t" ? character : show(character)));

  const size = (bytes) => {
    if (bytes < 1024) return `${bytes} B`;
    if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
    return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  };
  const time = (us) => (us < 1000 ? `${us} µs` : us < 1e6 ? `${(us / 1000).toFixed(1)} ms` : `${(us / 1e6).toFixed(1)} s`);
  const node = (tag, kind, text) => {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    made.textContent = text;
    return made;
  };
  const fail = (message, hint) => {
    const box = node("div", "problem", "");
    box.setAttribute("role", "alert");
    box.append(node("p", "", message), node("p", "", hint));
    problem.replaceChildren(box);
  };

  // What is known of the body so far.
  const fresh = () => ({ bytes: 0, chars: 0, first: [], isText: true, decoder: new TextDecoder("utf-8", { fatal: true }) });
  let body = fresh();

  const asHex = () => {
    body.isText = false;
    const lines = [];
    for (let at = 0; at < body.first.length; at += 16) {
      const sixteen = body.first.slice(at, at + 16).map((byte) => byte.toString(16).padStart(2, "0"));
      lines.push(`${at.toString(16).padStart(4, "0")}  ${sixteen.join(" ")}`);
    }
    part("-body").textContent = `${lines.join("\n")}\n`;
  };

  const takeBody = (base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    body.bytes += bytes.length;
    for (const byte of bytes.subarray(0, Math.max(0, HEX_BYTES_MAX - body.first.length))) body.first.push(byte);
    if (!body.isText) {
      if (body.bytes - bytes.length < HEX_BYTES_MAX) asHex();
    } else {
      try {
        const text = body.decoder.decode(bytes, { stream: true });
        if (text.includes("\0")) throw new TypeError("zeros are in no text");
        if (body.chars < BODY_CHARS_MAX) part("-body").append(visibleLines(text.slice(0, BODY_CHARS_MAX - body.chars)));
        body.chars += text.length;
      } catch {
        asHex();
      }
    }
    const how = !body.isText ? ", no text: its first bytes in hexadecimal" : body.chars > BODY_CHARS_MAX ? ", its beginning" : "";
    part("-size").textContent = size(body.bytes) + how;
  };

  const takeLine = (line) => {
    const list = part("-log");
    if (list.children.length >= LINES_MAX) return;
    const item = node("li", line.level <= 1 ? "error" : line.level <= 3 ? "warning" : "info", "");
    item.append(
      node("time", "", new Date(line.at).toISOString().slice(11, 23)), " ",
      node("span", "level", names[line.level] || `level ${line.level}`), " ",
      node("span", "source", line.source), " ", node("span", "text", visible(line.text)),
    );
    list.append(item);
  };

  const takeEnd = (receipt) => {
    if (body.isText) {
      // A character that is cut off at the end is no text either.
      try {
        body.decoder.decode();
      } catch {
        asHex();
      }
    }
    const isOk = receipt.outcome.kind === "ok" && !(receipt.status >= 500);
    const link = node("a", "", "Its receipt");
    link.href = `${part("-log").dataset.invocations}/${encodeURIComponent(receipt.invocation)}`;
    const used = [time(receipt.wall_us), size(receipt.memory_peak_bytes)];
    if (receipt.gas > 0) used.push(`${receipt.gas} gas`);
    if (receipt.cpu_us > 0) used.push(`${time(receipt.cpu_us)} of CPU time`);
    const why = receipt.outcome.message ? ` ${visible(receipt.outcome.message)}` : "";
    const badge = node("span", `badge ${isOk ? "ok" : "bad"}`, receipt.outcome.kind.replace("_", " "));
    part("-receipt").replaceChildren(badge, `${why} ${used.join(", ")}. `, link);
    if (receipt.status === null) part("-status").textContent = "Nothing was answered";
  };

  const fields = (list) => list.map(([name, value]) => `${visible(name)}: ${visible(value)}\n`).join("");

  const take = (event) => {
    if (event.event === "head") {
      part("-status").textContent = `Status ${event.status}`;
      part("-head").textContent = fields(event.headers);
    } else if (event.event === "body") takeBody(event.bytes);
    else if (event.event === "trailers") part("-head").append(`\n${fields(event.fields)}`);
    else if (event.event === "log") takeLine(event.line);
    else if (event.event === "end") takeEnd(event.receipt);
  };

  const clear = () => {
    body = fresh();
    problem.replaceChildren();
    for (const id of ["-head", "-body", "-size", "-log", "-receipt"]) part(id).replaceChildren();
    part("-status").textContent = "It runs";
    part("").hidden = false;
  };

  const read = async (response) => {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    let isOver = false;
    for (;;) {
      const { done, value } = await reader.read();
      rest += decoder.decode(value, { stream: !done });
      const lines = rest.split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (!line) continue;
        const event = JSON.parse(line);
        take(event);
        isOver ||= event.event === "end";
      }
      if (done) return isOver;
    }
  };

  const send = async () => {
    const response = await fetch(form.dataset.stream, {
      method: "POST", body: new FormData(form), headers: { "x-csrf-token": csrf }, signal: abort.signal,
    });
    const kind = response.headers.get("content-type") || "";
    if (response.ok && kind.startsWith("application/x-ndjson")) {
      if (!await read(response)) fail("The run was interrupted before its end.", "Try again; the log may say more.");
      return;
    }
    part("").hidden = true;
    if (kind.startsWith("application/json")) {
      const { error } = await response.json();
      fail(error.message, error.hint);
    } else fail(`The server answered ${response.status}.`, "Load the page again; you may have to sign in.");
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (abort) return;
    abort = new AbortController();
    clear();
    run.disabled = true;
    stop.hidden = false;
    try {
      await send();
    } catch (error) {
      if (error.name === "AbortError") part("-status").textContent = "Stopped";
      else fail("The connection was lost.", "Look whether you are online, and send it again.");
    } finally {
      abort = undefined;
      run.disabled = false;
      stop.hidden = true;
    }
  });
  stop.addEventListener("click", () => abort?.abort());
})();
