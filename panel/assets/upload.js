// Uploads: a file may be dropped, is inspected before it is sent for good, and one sees how far it is.
"use strict";
(() => {
  const form = document.querySelector("form.upload");
  if (!form) return;
  const BYTES_MAX = 32 * 1024 * 1024; // `wire::limits::UPLOAD_BYTES_MAX`, which the server holds to
  const input = form.querySelector("input[type=file]");
  const drop = form.querySelector(".drop");
  const problem = form.querySelector(".problem-place");
  const inspection = form.querySelector(".inspection-place");
  const progress = form.querySelector(".progress");
  const bar = progress.querySelector("progress");
  const said = progress.querySelector("[role=status]");
  const deploy = form.querySelector("button.deploy");
  const csrf = document.querySelector("meta[name=csrf]").content;
  let going;

  for (const one of form.querySelectorAll(".without-script")) one.hidden = true;
  for (const one of form.querySelectorAll(".by-script")) one.hidden = false;
  deploy.disabled = true;

  // Parts come from our own server, which has escaped what programs say; scripts in them would not run.
  const put = (place, html) => {
    place.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
  };
  const fail = (message, hint) => {
    const box = document.createElement("div");
    box.className = "problem";
    box.setAttribute("role", "alert");
    for (const text of [message, hint]) {
      const line = document.createElement("p");
      line.textContent = text;
      box.append(line);
    }
    problem.replaceChildren(box);
  };

  const send = (address, fields, done) => {
    if (going) going.abort();
    const request = new XMLHttpRequest();
    going = request;
    const over = () => {
      if (going !== request) return false;
      going = undefined;
      progress.hidden = true;
      return true;
    };
    problem.replaceChildren();
    progress.hidden = false;
    bar.removeAttribute("value");
    said.textContent = "";
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      const part = event.loaded / event.total;
      bar.value = part;
      said.textContent = part < 1 ? `${Math.floor(part * 100)} %` : "Sent, one moment";
    });
    request.addEventListener("load", () => {
      if (!over()) return;
      const part = request.getResponseHeader("x-part");
      if (part === "problem") put(problem, request.responseText);
      else if (request.status === 403) fail("This page is no longer good.", "Load it again, and choose the file once more.");
      else if (part !== "inspection" && !request.getResponseHeader("x-go-to")) {
        fail(`The server answered ${request.status}.`, "Load the page again; you may have to sign in.");
      }
      done(request, part);
    });
    request.addEventListener("error", () => {
      if (!over()) return;
      fail("The connection was lost.", "Look whether you are online, and send it again.");
      done(request, null);
    });
    request.open("POST", address);
    request.setRequestHeader("x-csrf-token", csrf);
    request.setRequestHeader("x-requested-with", "script");
    request.send(fields);
  };

  const inspect = () => {
    inspection.replaceChildren();
    deploy.disabled = true;
    if (input.files.length === 0) return;
    if (input.files[0].size > BYTES_MAX) {
      const mib = (input.files[0].size / 1024 / 1024).toFixed(1);
      fail(`The file has ${mib} MiB, and a program has at most 32 MiB.`, "Leave debug information or files out of it.");
      return;
    }
    // What was inspected on a page before says nothing about this file.
    const before = form.querySelector("input[name=inspected]");
    if (before) before.remove();
    const fields = new FormData();
    fields.append("module", input.files[0]);
    send(form.dataset.inspect, fields, (request, part) => {
      if (part !== "inspection") return;
      put(inspection, request.responseText);
      deploy.disabled = request.status !== 200;
    });
  };

  input.addEventListener("change", inspect);
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) {
    drop.addEventListener(kind, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length === 0) return;
    input.files = event.dataTransfer.files;
    inspect();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    deploy.disabled = true;
    send(form.action, new FormData(form), (request) => {
      const next = request.getResponseHeader("x-go-to");
      if (next) location.assign(next);
      else deploy.disabled = false;
    });
  });
  // A file that the browser has kept over a reload.
  if (input.files.length > 0) inspect();
})();
