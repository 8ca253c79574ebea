// Keeps the page as new as the monitor, and says so when it is not. Everything shown is made by the server: what arrives
// here is the same markup, and only what differs in it is touched, so that focus, selection and opened tables stay.
"use strict";

const GRACE_MS = 5000;
const RETRY_MS = 5000;

const live = document.getElementById("live");
let heardMs = performance.now();
let dueMs = 1000;
let at = live.textContent.replace("as of ", "");
let stream = null;

/** Make one element's children like another's. */
function morphChildren(now, wanted) {
  let child = now.firstChild;
  for (const next of [...wanted.childNodes]) {
    if (next.id && child && child.id !== next.id) {
      const kept = [...now.children].find((each) => each.id === next.id);
      if (kept) {
        now.insertBefore(kept, child);
        child = kept;
      } else {
        now.insertBefore(next, child);
        continue;
      }
    }
    if (!child) {
      now.append(next);
    } else if (child.nodeName !== next.nodeName || (child.id || "") !== (next.id || "")) {
      const old = child;
      child = child.nextSibling;
      now.replaceChild(next, old);
    } else {
      const same = child;
      child = child.nextSibling;
      morph(same, next);
    }
  }
  while (child) {
    const extra = child;
    child = child.nextSibling;
    extra.remove();
  }
}

/** Make one node like another of its kind. */
function morph(now, wanted) {
  if (now.nodeType !== Node.ELEMENT_NODE) {
    if (now.nodeValue !== wanted.nodeValue) now.nodeValue = wanted.nodeValue;
    return;
  }
  for (const { name, value } of [...wanted.attributes]) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  for (const { name } of [...now.attributes]) {
    // Whether a table is open is the reader's business.
    if (!wanted.hasAttribute(name) && name !== "open") now.removeAttribute(name);
  }
  morphChildren(now, wanted);
}

function take(event) {
  const frame = JSON.parse(event.data);
  for (const [id, html] of Object.entries(frame.panels)) {
    const panel = document.getElementById(`panel-${id}`);
    if (!panel) continue;
    const wanted = document.createElement("template");
    wanted.innerHTML = html;
    morphChildren(panel, wanted.content);
  }
  const title = document.getElementById("verdict")?.dataset.title;
  if (title && document.title !== title) document.title = title;
  at = frame.at;
  dueMs = frame.next_ms;
  heardMs = performance.now();
  tell();
}

/** Say how old the page is: a page that stands still looks like a keeper that is well. */
function tell() {
  const isLive = performance.now() - heardMs < dueMs + GRACE_MS;
  document.body.classList.toggle("stale", !isLive);
  const words = isLive ? "live" : `NOT LIVE: the monitor was last heard at ${at}; figures below are old`;
  if (live.textContent !== words) live.textContent = words;
  if (!isLive && !document.title.startsWith("not live")) document.title = "not live · keeper";
}

function open() {
  stream = new EventSource(`events?span=${document.body.dataset.span}`);
  stream.addEventListener("frame", take);
  stream.addEventListener("error", () => {
    // A browser tries again by itself, unless it was answered with an error.
    if (stream.readyState === EventSource.CLOSED) setTimeout(open, RETRY_MS);
  });
}

addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => event.persisted && open());
setInterval(tell, 1000);
open();
