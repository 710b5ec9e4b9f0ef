// Keeps what is `data-live` up to date: when the server says that something changed, the page is asked for again
// and each such part is put in the place of the old one. Without this file every page works, and stands still.

const REFRESH_EVERY = 15_000; // ms: not everything that a page shows is told as an event

const own = document.querySelector("script[data-live]");
const liveness = document.querySelector("#liveness");
let asking = false;
let again = false;
let leaving = new AbortController(); // once a form was sent, its answer shows what is new

function parts(within) {
  return [...within.querySelectorAll("[data-live][id]")];
}

function inUse(part) {
  const chosen = document.getSelection();
  const selected = chosen && !chosen.isCollapsed && chosen.containsNode(part, true);
  return selected || (part.contains(document.activeElement) && document.activeElement !== document.body);
}

function replace(part, fresh) {
  const open = new Set([...part.querySelectorAll("details[open][id]")].map((one) => one.id));
  for (const details of fresh.querySelectorAll("details[id]")) details.open = details.open || open.has(details.id);
  for (const one of fresh.querySelectorAll("[data-scripted]")) one.hidden = false;
  if (part.outerHTML === fresh.outerHTML || inUse(part)) return;
  part.replaceWith(document.importNode(fresh, true));
}

async function refresh() {
  if (document.hidden || leaving.signal.aborted || !parts(document).length) return;
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  try {
    const answer = await fetch(location.href, { redirect: "manual", signal: leaving.signal });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts(document)) {
      const found = fresh.getElementById(part.id);
      if (found) replace(part, found);
    }
    liveness.textContent = "Kept up to date.";
  } catch {
    if (!leaving.signal.aborted) liveness.textContent = "Not up to date: the server cannot be reached, or you are signed out.";
  } finally {
    asking = false;
    if (again) {
      again = false;
      setTimeout(refresh, 1_000);
    }
  }
}

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  const was = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = was), 2_000);
}

if (own && window.EventSource && parts(document).length) {
  const changes = new EventSource(own.dataset.live);
  changes.addEventListener("changed", refresh);
  setInterval(refresh, REFRESH_EVERY);
  document.addEventListener("visibilitychange", refresh);
  liveness.textContent = "Kept up to date.";
}

// What does not work without this file is shown only where it runs.
for (const one of document.querySelectorAll("[data-scripted]")) one.hidden = false;
document.addEventListener("submit", () => leaving.abort());
window.addEventListener("pageshow", () => (leaving = new AbortController())); // they came back
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});
