// Buttons that copy the text beside them. They are shown only where there is something that can do it.
"use strict";
(() => {
  const said = document.querySelector("#said");
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const from = button.dataset.copy
      ? document.getElementById(button.dataset.copy)
      : button.parentElement.querySelector("code, pre");
    if (!from || !navigator.clipboard) continue;
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(from.textContent.trim());
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(from);
        button.textContent = "Press Ctrl+C";
      }
      if (said) said.textContent = button.textContent;
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }
})();
