// Without this script every page reads the same; it fills in addresses, copies, and narrows tables down.
"use strict";

for (const place of document.querySelectorAll("[data-address]")) {
  const address = new URL(place.dataset.address, window.location.href);
  // A key in the address (/t/<key>/) stays out of what people copy.
  address.pathname = address.pathname.replace(/^\/t\/[^/]+\//, "/");
  address.search = "";
  address.hash = "";
  place.textContent = address.href.replace(/\/$/, "");
}

// Whoever signs in because of a refusal is led back to what was refused.
for (const link of document.querySelectorAll("a[data-back]")) {
  const back = window.location.pathname.replace(/^\/t\/[^/]+\//, "/") + window.location.search;
  link.search = new URLSearchParams({ next: back }).toString();
}

// ---- copying ----

const said = document.createElement("p");
said.className = "visually-hidden";
said.setAttribute("role", "status");
document.body.append(said);

async function copy(text) {
  // Browsers offer the clipboard over https and on localhost only; many servers of this kind have neither.
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const sheet = document.createElement("textarea");
  sheet.value = text;
  sheet.readOnly = true;
  sheet.className = "visually-hidden";
  document.body.append(sheet);
  sheet.select();
  const done = document.execCommand("copy");
  sheet.remove();
  if (!done) {
    throw new Error("the browser refused");
  }
}

function copyButton(what, text) {
  const button = document.createElement("button");
  const word = document.createElement("span");
  const rest = document.createElement("span");
  button.type = "button";
  word.textContent = "Copy";
  rest.className = "visually-hidden";
  rest.textContent = ` ${what}`;
  button.append(word, rest);
  button.addEventListener("click", async () => {
    try {
      await copy(text());
      word.textContent = "Copied";
      said.textContent = `Copied ${what}`;
    } catch {
      word.textContent = "Not copied";
      said.textContent = "The browser does not let this page copy; select the text instead";
    }
    button.focus();
    window.setTimeout(() => { word.textContent = "Copy"; said.textContent = ""; }, 2000);
  });
  return button;
}

for (const command of document.querySelectorAll(".command")) {
  const what = command.dataset.copies ?? `the ${command.querySelector("figcaption").textContent} command`;
  command.append(copyButton(what, () => command.querySelector("code").textContent));
}
for (const place of document.querySelectorAll("[data-copy]")) {
  place.after(copyButton(place.dataset.copies ?? "the digest", () => place.dataset.copy || place.textContent));
}

// ---- narrowing tables down ----

// A form names the container of its tables; words must all be in a row, a choice among the row's tags.
for (const form of document.querySelectorAll("form[data-filters]")) {
  const scope = document.getElementById(form.dataset.filters);
  const words = form.querySelector("input");
  const tag = form.querySelector("select");
  const count = form.querySelector("[role=status]");
  const rows = [...scope.querySelectorAll("tbody tr")].map((row) => [row, row.textContent.toLowerCase()]);
  const narrow = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, text] of rows) {
      const tags = row.closest("[data-tags]")?.dataset.tags.split(" ") ?? [];
      const own = row.querySelector(".tag")?.textContent.split(/[\s,]+/) ?? [];
      const fits = wanted.every((word) => text.includes(word)) && (!tag?.value || [...tags, ...own].includes(tag.value));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    for (const part of scope.querySelectorAll("[data-part]")) {
      part.hidden = !part.querySelector("tbody tr:not([hidden])");
    }
    count.textContent = wanted.length || tag?.value ? `${shown} of ${rows.length}` : "";
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", narrow);
  narrow();
}

// An invitation stands behind the # of its link, which is sent to no server; nor does it stay in the address.
const invitation = document.querySelector("[data-from-fragment]");
if (invitation && window.location.hash.length > 1) {
  invitation.value = window.location.hash.slice(1);
  window.history.replaceState(null, "", window.location.pathname);
}
