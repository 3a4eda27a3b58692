// The live log: lines are added as they come. While somebody reads further up, they wait.
"use strict";
(() => {
  const list = document.querySelector("ol.log[data-events]");
  if (!list || !window.EventSource) return;
  const LINES_MAX = 2000; // in the page, and as many that wait
  const AGAIN_MS = 2000; // before another try, doubled each time
  const AGAIN_MS_MAX = 30000;
  const state = document.querySelector("#log-state");
  const goOn = document.querySelector("#log-go-on");
  const empty = document.querySelector("#log-empty");
  const keys = new Set([...list.children].map((line) => line.dataset.key));
  const names = { 1: "error", 3: "warning", 6: "info", 7: "debug" };
  let waiting = [];
  let last = "";
  let again = AGAIN_MS;
  let source;
  let retry;
  let drawing;

  // As `format.rs` does it: what cannot be seen is shown.
  const hidden = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
  const visible = (text) => text.replace(hidden, (character) => {
    const code = character.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `\u2039U+${code.toString(16).toUpperCase().padStart(4, "0")}\u203a`;
  });

  const say = (text, kind) => {
    state.hidden = false;
    state.className = `badge ${kind}`;
    if (state.textContent !== text) state.textContent = text;
  };

  const part = (tag, kind, text) => {
    const node = document.createElement(tag);
    if (kind) node.className = kind;
    node.textContent = text;
    return node;
  };

  const row = (line) => {
    const item = part("li", line.level <= 1 ? "error" : line.level <= 3 ? "warning" : "info", "");
    const exact = new Date(line.at).toISOString();
    const time = part("time", "", exact.slice(11, 23));
    time.dateTime = exact;
    time.title = exact;
    const link = part("a", "", line.invocation.slice(-8));
    link.href = `${list.dataset.invocations}/${encodeURIComponent(line.invocation)}`;
    link.title = `Invocation ${line.invocation}`;
    item.dataset.key = `${line.invocation}-${line.seq}`;
    item.append(
      time, " ", part("span", "level", names[line.level] || `level ${line.level}`), " ", link, " ",
      part("span", "source", line.source), " ", part("span", "text", visible(line.text)),
    );
    return item;
  };

  const isAtEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 40;

  const draw = () => {
    drawing = undefined;
    if (waiting.length === 0) return;
    const rows = document.createDocumentFragment();
    for (const line of waiting) rows.append(row(line));
    waiting = [];
    list.append(rows);
    while (list.children.length > LINES_MAX) {
      keys.delete(list.firstElementChild.dataset.key);
      list.firstElementChild.remove();
    }
    if (empty) empty.hidden = true;
    goOn.hidden = true;
    list.scrollTop = list.scrollHeight;
  };

  const take = (line) => {
    const key = `${line.invocation}-${line.seq}`;
    if (keys.has(key)) return;
    keys.add(key);
    waiting.push(line);
    if (waiting.length > LINES_MAX) {
      const gone = waiting.shift();
      keys.delete(`${gone.invocation}-${gone.seq}`);
    }
    if (isAtEnd()) {
      // Many lines at once are drawn together.
      drawing ??= setTimeout(draw, 50);
    } else {
      goOn.hidden = false;
      goOn.textContent = `Paused: ${waiting.length} new ${waiting.length === 1 ? "line" : "lines"}`;
    }
  };

  const follow = () => {
    const address = new URL(list.dataset.events, location.href);
    // A browser says it by itself only where it connects again by itself.
    if (last) address.searchParams.set("last", last);
    source = new EventSource(address);
    source.onopen = () => {
      again = AGAIN_MS;
      say("Live", "ok");
    };
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) {
        say("Disconnected, connecting again", "warn");
        return;
      }
      say(`Disconnected, next try in ${Math.round(again / 1000)} s`, "bad");
      clearTimeout(retry);
      retry = setTimeout(follow, again);
      again = Math.min(again * 2, AGAIN_MS_MAX);
    };
    source.addEventListener("line", (event) => {
      last = event.lastEventId || last;
      take(JSON.parse(event.data));
    });
    source.addEventListener("receipt", (event) => {
      last = event.lastEventId || last;
    });
  };

  goOn.addEventListener("click", () => {
    list.scrollTop = list.scrollHeight;
    draw();
    list.focus();
  });
  list.addEventListener("scroll", () => {
    if (waiting.length > 0 && isAtEnd()) draw();
  });
  addEventListener("pagehide", () => {
    clearTimeout(retry);
    source.close();
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) follow();
  });
  list.scrollTop = list.scrollHeight;
  say("Connecting", "");
  follow();
})();
