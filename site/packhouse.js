// Without this script every page reads the same; it fills in addresses and offers to copy commands.
"use strict";

for (const place of document.querySelectorAll("[data-address]")) {
  const address = new URL(place.dataset.address, window.location.href);
  // A key in the address (/t/<key>/) stays out of what people copy.
  address.pathname = address.pathname.replace(/^\/t\/[^/]+\//, "/");
  address.search = "";
  address.hash = "";
  place.textContent = address.href.replace(/\/$/, "");
}

// Browsers offer the clipboard over https and on localhost only.
if (navigator.clipboard) {
  for (const command of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    const copied = command.dataset.copies ?? `the ${command.querySelector("figcaption").textContent} command`;
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${copied}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(command.querySelector("code").textContent);
      button.textContent = "Copied";
      window.setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    command.append(button);
  }
}

// An invitation stands behind the # of its link, which is sent to no server; nor does it stay in the address.
const invitation = document.querySelector("[data-from-fragment]");
if (invitation && window.location.hash.length > 1) {
  invitation.value = window.location.hash.slice(1);
  window.history.replaceState(null, "", window.location.pathname);
}
