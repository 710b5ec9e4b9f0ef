// Keeps what is `data-live` up to date: when the server says that something changed, the page is asked for again
// and each such part is put in the place of the old one. Without this file every page works, and stands still.

const REFRESH_EVERY = 15_000; // ms: not everything that a page shows is told as an event

const GIVEN_UP_AFTER = 20_000; // ms; longer than the server takes with any answer: somebody stopped the page from leaving

const own = document.querySelector("script[data-live]");
const liveness = document.querySelector("#liveness");
const stale = document.querySelector("#stale");
let changes = null;
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

// Empty words: it is up to date.
function tell(words) {
  liveness.textContent = words ? "Not up to date." : "Kept up to date.";
  stale.hidden = !words;
  if (stale.textContent !== words) stale.textContent = words;
}

// A browser has few connections to one server: those tabs that nobody sees hold none.
function listen() {
  if (document.hidden || (changes && changes.readyState !== EventSource.CLOSED)) return;
  changes = new EventSource(own.dataset.live);
  changes.addEventListener("changed", refresh);
}

function seen() {
  if (document.hidden) {
    changes?.close();
    return;
  }
  listen();
  refresh();
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
    if (answer.type === "opaqueredirect") return tell("This page is not up to date: you are signed out. Load it again to sign in.");
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts(document)) {
      const found = fresh.getElementById(part.id);
      if (found) replace(part, found);
    }
    tell("");
    listen(); // after a failure of the server's a browser does not come back by itself
  } catch {
    if (!leaving.signal.aborted) tell("This page is not up to date: the server cannot be reached, or has no database now. It is tried again and again.");
  } finally {
    asking = false;
    if (again) {
      again = false;
      setTimeout(refresh, 1_000);
    }
  }
}

function stay() {
  leaving = new AbortController();
}

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  const was = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = was), 2_000);
}

if (own && window.EventSource && parts(document).length) {
  listen();
  setInterval(refresh, REFRESH_EVERY);
  document.addEventListener("visibilitychange", seen);
  tell("");
}

// What does not work without this file is shown only where it runs.
for (const one of document.querySelectorAll("[data-scripted]")) one.hidden = false;
document.addEventListener("submit", (event) => {
  if (leaving.signal.aborted) return event.preventDefault(); // a double click does it once
  leaving.abort();
  setTimeout(stay, GIVEN_UP_AFTER);
});
window.addEventListener("pageshow", stay); // they came back
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});
