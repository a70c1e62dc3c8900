// Upload from the page of a channel: drop files anywhere on it, or choose them. Without this script the section stays
// hidden, and the command lines beside it do the same.
//
// The page is a plain file, the same for everybody, so the daemon is asked who reads it and what they may write: once
// the section comes into view and before each file, since most visitors upload nothing and a session may end meanwhile.
// Whatever comes from a server or a file's name becomes text nodes, never markup.
"use strict";

(() => {
  const section = document.querySelector("[data-upload]");
  if (!section) {
    return;
  }

  const CLAIMED = 64e6;  // bytes up to which a file is hashed here: crypto.subtle wants all of it in memory
  const KINDS = { conda: "conda package", pypi: "Python package", generic: "build product" };
  const channel = section.dataset.upload;
  const home = new URL(section.dataset.home, document.baseURI);
  // A key in the address (/t/<key>/) would count more than the session, and is not what the reader signed in with.
  home.pathname = home.pathname.replace(/^\/t\/[^/]+\//, "/");

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  function address(...segments) {
    return new URL(segments.map(encodeURIComponent).join("/"), home);
  }

  // ---- Who reads the page -----------------------------------------------------------------------------------------

  const HELP = "Check the network, then load the page again; what is on the page stays readable.";

  // What the daemon says, or {problem} with a sentence, or null where there is no daemon at all.
  async function ask() {
    try {
      const options = { credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" } };
      const response = await fetch(address("account", "upload", channel), options);
      if (response.status === 404) {
        return null;  // the channel was copied to a server of plain files
      }
      const answer = await response.json();
      return response.ok ? answer : { problem: sentence(answer.detail ?? `The server answered ${response.status}`) };
    } catch {
      return { problem: `Whether you may upload could not be asked. ${HELP}` };
    }
  }

  // The server's words as they are: they may begin with a name.
  function sentence(text) {
    return /[.!?]$/.test(text) ? text : `${text}.`;
  }

  function entrance(text, properties = {}) {
    const link = make("a", { textContent: text, ...properties });
    link.href = address("account", "sign-in");
    const back = window.location.pathname.replace(/^\/t\/[^/]+\//, "/");
    link.search = new URLSearchParams({ next: back }).toString();
    return link;
  }

  function rights(standing) {
    if (standing.kinds.length === Object.keys(KINDS).length) {
      return "";
    }
    const kinds = standing.kinds.map((kind) => `${KINDS[kind]}s`);
    const packages = standing.packages.map((item) => `the ${KINDS[item.ecosystem]} ${item.package}`);
    return ` You may upload here: ${[...kinds, ...packages].join(", ")}.`;
  }

  let ready = false;
  let asked = null;

  async function open() {
    const standing = await ask();
    if (standing === null) {
      section.hidden = true;
    } else if (standing.problem) {
      section.replaceChildren(make("p", { textContent: standing.problem }));
      asked = null;  // dragging a file here asks again
    } else if (standing.login === null) {
      section.replaceChildren(make("p", {}, entrance("Sign in to upload"), " by dropping files on this page."));
    } else if (!standing.kinds.length && !standing.packages.length) {
      const refused = `You are signed in as ${standing.login}, who may not upload to ${channel}. `;
      const advice = "Whoever administers this server can give you the right to write here.";
      section.replaceChildren(make("p", { textContent: refused + advice }));
    } else {
      hint.textContent = `Each keeps its name and is uploaded as ${standing.login}.${rights(standing)}`;
      section.replaceChildren(form);
      ready = true;
    }
  }

  function openOnce() {
    asked ??= open();
  }

  // ---- The form ---------------------------------------------------------------------------------------------------

  const picker = make("input", { type: "file", multiple: true, className: "visually-hidden" });
  const hint = make("p", { className: "hint", id: "upload-hint" });
  const queue = make("ol", { className: "queue", hidden: true });
  const product = field("upload-product", "Name");
  const version = field("upload-version", "Version");
  const details = make("fieldset", { hidden: true, disabled: true },
    make("legend", { textContent: "Of the build product" }), product.parentNode, version.parentNode);
  const start = make("button", { type: "submit", className: "act", hidden: true });
  const stop = make("button", { type: "button", textContent: "Cancel", hidden: true });
  const reload = make("button", { type: "button", textContent: "Show the new lists", hidden: true });
  const said = make("p", { className: "hint" });
  said.setAttribute("role", "status");
  picker.setAttribute("aria-describedby", hint.id);
  const choose = make("label", { className: "button" }, "Choose files", picker);
  const form = make("form", {}, make("p", {}, choose, " or drop them anywhere on this page."), hint, queue, details,
    make("p", { className: "after" }, start, " ", stop, " ", reload), said);

  function field(id, text) {
    const input = make("input", { id, required: true, maxLength: 128, autocomplete: "off", spellcheck: false });
    input.autocapitalize = "none";
    // An address would resolve these two; what else cannot be a name the server says.
    input.pattern = "\\s*(?!\\.{1,2}\\s*$)\\S.*";
    input.title = "a name, not only dots or spaces";
    make("div", { className: "field" }, make("label", { htmlFor: id, textContent: text }), input);
    return input;
  }

  // ---- What was chosen --------------------------------------------------------------------------------------------

  const items = [];
  let running = null;

  function kindOf(name) {
    if (/\.conda$|^.+-[^-]+-[^-]+\.tar\.bz2$/.test(name)) {
      return "conda";
    }
    return /\.whl$|^.+-[^-]+\.(?:tar\.gz|zip)$/.test(name) ? "pypi" : "generic";
  }

  function amount(size) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let value = size;
    while (value >= 999.5 && units.length > 1) {
      value /= 1000;
      units.shift();
    }
    return `${units[0] === "B" ? value : value.toPrecision(3)} ${units[0]}`;
  }

  function add(files) {
    const left = [];
    for (const file of files) {
      const same = items.find((item) => item.file.name === file.name);
      if (same && running?.batch.includes(same) && ["waiting", "going"].includes(same.state)) {
        left.push(file.name);
        continue;
      }
      if (same) {
        remove(same);  // built anew, or meant for another version
      }
      items.push(line(file));
    }
    const chosen = files.length - left.length;
    said.textContent = [
      ...(chosen ? [`${many(chosen)} chosen.`] : []),
      ...(left.length ? [`Not chosen again, since it is being uploaded: ${left.join(", ")}.`] : []),
    ].join(" ");
    refresh();
  }

  function line(file) {
    const name = make("bdi", { textContent: file.name });
    const options = Object.entries(KINDS).map(([value, text]) => make("option", { value, textContent: text }));
    const kind = make("select", {}, ...options);
    const rest = make("span", { className: "visually-hidden", textContent: ` ${file.name}` });
    const drop = make("button", { type: "button" }, "Remove", rest);
    const bar = make("progress", { max: 1, value: 0, hidden: true });
    const note = make("p", { hidden: true });
    kind.value = kindOf(file.name);
    kind.setAttribute("aria-label", `What ${file.name} is`);
    bar.setAttribute("aria-label", `Upload of ${file.name}`);
    const size = make("span", { className: "count", textContent: amount(file.size) });
    const row = make("li", {}, make("span", {}, name, " ", size), kind, drop, bar, note);
    const item = { file, row, kind, drop, bar, note, state: "waiting", sent: false };
    kind.addEventListener("change", refresh);
    drop.addEventListener("click", () => {
      remove(item);
      said.textContent = `${file.name} removed.`;
      picker.focus();
      refresh();
    });
    queue.append(row);
    return item;
  }

  function remove(item) {
    items.splice(items.indexOf(item), 1);
    item.row.remove();
  }

  function many(count) {
    return count === 1 ? "1 file" : `${count} files`;
  }

  function pending(item) {
    return item.state === "waiting" || item.state === "failed";
  }

  // Show what there is to do now.
  function refresh() {
    const left = items.filter(pending);
    const needed = left.some((item) => item.kind.value === "generic");
    queue.hidden = items.length === 0;
    details.hidden = details.disabled = !needed || running !== null;
    start.hidden = left.length === 0 || running !== null;
    start.textContent = left.some((item) => item.state === "waiting")
      ? `Upload ${many(left.length)}` : `Try ${many(left.length)} again`;
    stop.hidden = running === null;
    reload.hidden = running !== null || !items.some((item) => item.state === "done");
    for (const item of items) {
      item.kind.hidden = item.state === "done";
      item.kind.disabled = running !== null;
      item.drop.hidden = running !== null || item.state === "done";
    }
  }

  function tell(item, className, ...parts) {
    item.note.className = className;
    item.note.hidden = false;
    item.note.replaceChildren(...parts);
    said.textContent = `${item.file.name}: ${item.note.textContent}`;
  }

  // ---- Sending ----------------------------------------------------------------------------------------------------

  async function digestOf(file) {
    // Browsers offer it over https and on localhost only. The server hashes what arrives anyway.
    if (!window.crypto.subtle || file.size > CLAIMED) {
      return "";
    }
    const hashed = await window.crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return [...new Uint8Array(hashed)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // The request that takes this kind of file: the same as other clients send.
  function requestFor(item, sha256) {
    const { file } = item;
    const headers = sha256 ? { "X-File-SHA256": sha256 } : {};
    const raw = { body: file, headers: { ...headers, "Content-Type": "application/octet-stream" } };
    if (item.kind.value === "conda") {
      return { method: "POST", url: address("api", "channels", channel, "upload", file.name), ...raw };
    }
    if (item.kind.value === "generic") {
      return { method: "PUT", url: address(channel, "products", item.product, item.version, file.name), ...raw };
    }
    const body = new FormData();
    body.append(":action", "file_upload");
    body.append("protocol_version", "1");
    if (sha256) {
      body.append("sha256_digest", sha256);
    }
    body.append("content", file, file.name);
    return { method: "POST", url: address(channel, "legacy", ""), body, headers: {} };
  }

  // The answer, or null where none came.
  function exchange(item, request, token) {
    return new Promise((resolve) => {
      const call = new XMLHttpRequest();
      call.open(request.method, request.url);
      for (const [name, value] of Object.entries({ Accept: "application/json", ...request.headers })) {
        call.setRequestHeader(name, value);
      }
      if (token) {
        call.setRequestHeader("X-Packhouse-Token", token);
      }
      call.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) {
          item.bar.value = event.loaded / event.total;
        }
      });
      call.upload.addEventListener("load", () => {
        item.sent = true;
        item.bar.removeAttribute("value");
        tell(item, "hint", "Sent. The server checks and publishes it.");
      });
      call.addEventListener("load", () => resolve(call));
      call.addEventListener("error", () => resolve(null));
      call.addEventListener("abort", () => resolve(null));
      running.abort = () => call.abort();
      call.send(request.body);
    });
  }

  function parsed(text) {
    try {
      return JSON.parse(text) ?? {};
    } catch {
      return {};
    }
  }

  function stored(item, record) {
    const page = `${section.dataset.here}${record.ecosystem}/${encodeURIComponent(record.package)}/`;
    const link = make("a", { href: page, textContent: `${record.package} ${record.version}` });
    const words = record.changed ? " is uploaded." : " was here already, with the same bytes.";
    const more = [...(record.notes ?? []), ...(record.warnings ?? [])].map((text) => ` ${sentence(text)}`);
    item.state = "done";
    tell(item, "notice", link, words, ...more);
  }

  function failed(item, ...parts) {
    item.state = "failed";
    tell(item, "error", ...parts);
  }

  function again() {
    const link = entrance("Sign in", { target: "_blank", rel: "noopener" });
    return [link, " in another window, then upload the rest here."];
  }

  const STOPS = new Set([401, 429, 503]);  // whatever comes next would get the same

  // Upload one file; whether the next may follow.
  async function upload(item) {
    item.state = "going";
    item.sent = false;
    item.bar.value = 0;
    item.bar.hidden = false;
    refresh();
    tell(item, "hint", `Uploading, ${amount(item.file.size)}.`);
    try {
      return await attempt(item);
    } finally {
      item.bar.hidden = true;
    }
  }

  async function attempt(item) {
    const standing = await ask();
    if (!standing || standing.problem) {
      failed(item, standing?.problem ?? "The server takes no uploads any more.");
      return false;
    }
    if (standing.login === null) {
      failed(item, "You are not signed in any more. ", ...again());
      return false;
    }
    let sha256;
    try {
      sha256 = await digestOf(item.file);
    } catch {
      failed(item, "The browser cannot read this file: is it a folder, or was it moved or changed? Choose it again.");
      return true;
    }
    let request;
    try {
      request = requestFor(item, sha256);
    } catch {
      failed(item, "Its name, or the name or version that you typed, holds half a character, which no address can hold.");
      return true;
    }
    const call = running.cancelled ? null : await exchange(item, request, standing.token);
    return call === null ? unanswered(item) : answered(item, call);
  }

  function unanswered(item) {
    if (!running.cancelled) {
      failed(item, "The connection ended before the server had answered. Check the network, and whether the file is "
        + "where it was; then try again. The same file twice does no harm.");
    } else if (item.sent) {
      failed(item, "Cancelled after all of it was sent, so it may be stored: look at the lists.");
    } else {
      failed(item, "Cancelled. Nothing of it is stored.");
    }
    return false;
  }

  function answered(item, call) {
    const body = parsed(call.responseText);
    if (call.status >= 200 && call.status < 300) {
      stored(item, body);
      return true;
    }
    failed(item, sentence(body.detail ?? `The server refused it with status ${call.status}`));
    if (call.status === 401) {
      item.note.append(" ", ...again());
    }
    return !STOPS.has(call.status);
  }

  async function run(batch) {
    running = { batch, cancelled: false, abort: () => {} };
    for (const item of batch) {
      Object.assign(item, { product: product.value.trim(), version: version.value.trim() });
    }
    window.addEventListener("beforeunload", hold);
    refresh();
    stop.focus();
    for (const item of batch) {
      if (!(await upload(item)) || running.cancelled) {
        break;
      }
    }
    window.removeEventListener("beforeunload", hold);
    running = null;
    // Who went on to something else stays there; the button that had the focus is about to vanish.
    const stays = document.activeElement !== stop && document.activeElement !== document.body;
    refresh();
    if (!stays) {
      (reload.hidden ? start : reload).focus();
    }
    const done = batch.filter((item) => item.state === "done").length;
    said.replaceChildren(`${done} of ${many(batch.length)} uploaded.`, unsaid(batch));
  }

  // What is read aloud at the end takes the place of what was said of the last file, so it has the reasons that stand
  // above for whoever sees them.
  function unsaid(batch) {
    const not = batch.filter((item) => item.state === "failed");
    const reasons = not.length > 3
      ? [`Refused: ${not.map((item) => item.file.name).join(", ")}.`]
      : not.map((item) => `${item.file.name}: ${sentence(item.note.textContent)}`);
    return make("span", { className: "visually-hidden", textContent: reasons.map((text) => ` ${text}`).join("") });
  }

  function hold(event) {
    event.preventDefault();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const batch = items.filter(pending);
    if (batch.length && running === null) {
      run(batch);
    }
  });
  stop.addEventListener("click", () => {
    running.cancelled = true;
    running.abort();
  });
  reload.addEventListener("click", () => window.location.reload());
  picker.addEventListener("change", () => {
    add([...picker.files]);
    picker.value = "";  // the same file may be chosen again
  });

  // ---- Dropping ---------------------------------------------------------------------------------------------------

  // A file that is dropped where nobody takes it would replace the page by itself.
  function carries(event) {
    return event.dataTransfer?.types.includes("Files") ?? false;
  }

  function over(event) {
    if (!carries(event)) {
      return;
    }
    event.preventDefault();
    openOnce();
    event.dataTransfer.dropEffect = ready ? "copy" : "none";
    section.classList.toggle("over", ready);
  }

  document.addEventListener("dragenter", over);
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) {
      section.classList.remove("over");
    }
  });
  document.addEventListener("drop", (event) => {
    if (!carries(event)) {
      return;
    }
    event.preventDefault();
    section.classList.remove("over");
    if (!ready) {
      return;
    }
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
    const folders = entries.filter((entry) => entry?.isDirectory).map((entry) => entry.name);
    add([...event.dataTransfer.files].filter((file) => !folders.includes(file.name)));
    if (folders.length) {
      said.textContent += ` Left aside, since they are folders: ${folders.join(", ")}. Drop what is in them.`;
    }
    section.scrollIntoView({ block: "nearest" });
  });

  section.append(make("p", { className: "hint", textContent: "Upload from this page" }));
  section.hidden = false;
  new IntersectionObserver((entries, observer) => {
    if (entries.some((entry) => entry.isIntersecting)) {
      observer.disconnect();
      openOnce();
    }
  }, { rootMargin: "200px" }).observe(section);
})();
