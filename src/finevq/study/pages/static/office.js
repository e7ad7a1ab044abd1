// Renews the experimenter's page in place: what has not changed stays the same node, so focus,
// selection and scroll position stay where they are.
"use strict";

const live = document.querySelector("[data-renew-seconds]");
const renewed = document.getElementById("renewed");

function renew(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) { old.replaceWith(document.importNode(fresh, true)); return; }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const before = [...old.childNodes], after = [...fresh.childNodes];
  after.forEach((node, at) => (at < before.length ? renew(before[at], node) : old.append(document.importNode(node, true))));
  before.slice(after.length).forEach((node) => node.remove());
}

async function fetchPage() {
  if (document.hidden) return;
  try {
    const reply = await fetch(location.href, { cache: "no-store" });
    if (reply.status === 401) { location.assign("/experimenter/login"); return; }
    if (!reply.ok) throw new Error(`the server answers ${reply.status}`);
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    renew(live, page.querySelector("[data-renew-seconds]"));
    renewed.textContent = `Renewed at ${new Date().toLocaleTimeString()}.`;
  } catch {
    renewed.textContent = "The server does not answer; what you see is older. Trying again …";
  }
}

setInterval(fetchPage, Number(live.dataset.renewSeconds) * 1000);
document.addEventListener("visibilitychange", fetchPage);
