// What a page does better with a script; without it, everything still works.
"use strict";

// A button to copy what stands in an element with data-copy.
for (const shown of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "small";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${shown.dataset.copy}`);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(shown.textContent.trim());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  shown.after(button);
}

// A part of the page with data-live is fetched anew every so many milliseconds, for as long as the page says so.
async function follow(part) {
  const wait = Number(part.dataset.live);
  if (!wait) return;
  await new Promise((resolve) => setTimeout(resolve, wait));
  let next = null;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
    if (answer.ok) next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
  } catch { /* the network is away: look again */ }
  if (next) {
    part.replaceWith(document.importNode(next, true));
    part = document.getElementById(part.id);
  }
  follow(part);
}
for (const part of document.querySelectorAll("[data-live]")) follow(part);
