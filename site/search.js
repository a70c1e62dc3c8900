// Results while typing, for the search box of every page. Without this script the box leads to the daemon's page.
//
// The daemon is asked first: it knows everything the visitor may see. Where it does not answer, or has answered often
// enough, the static index of the channel (search/*.json, written by the indexer) is read: packhouse/pages/search.py
// says how it is built. Whatever comes from a server becomes text nodes, never markup.
"use strict";

(() => {
  const input = document.querySelector("form.search [name=q][data-home]");
  if (!input) {
    return;
  }

  const SHOWN = 10;
  const DEBOUNCE_MS = 120;
  const CHANNELS = 20;
  const WORDS = 8;
  const DEPTH = 8;
  const ECOSYSTEMS = { c: "conda", p: "pypi", g: "generic" };
  const KINDS = { conda: "conda package", pypi: "Python package", generic: "build product" };
  const form = input.form;
  const home = new URL(input.dataset.home, document.baseURI);
  const here = input.dataset.here ? new URL(input.dataset.here, document.baseURI) : null;

  // ---- The daemon -------------------------------------------------------------------------------------------------

  const REST = "packhouse-search-rest";
  let resting = 0;

  // Until when the daemon is left alone, in milliseconds since 1970; other pages of this tab go on with it.
  function restingUntil() {
    try {
      resting = Math.max(resting, Number(sessionStorage.getItem(REST)) || 0);
    } catch { /* a browser may keep nothing */ }
    return resting;
  }

  function rest(seconds) {
    resting = Date.now() + seconds * 1000;
    try {
      sessionStorage.setItem(REST, String(resting));
    } catch { /* this page remembers it */ }
  }

  const answers = new Map();

  // What the daemon found, or null where it is not to be asked.
  async function askDaemon(text, signal) {
    if (answers.has(text)) {
      return answers.get(text);
    }
    if (Date.now() < restingUntil()) {
      return null;
    }
    const url = new URL("api/1/search/", home);
    url.searchParams.set("q", text);
    url.searchParams.set("per_page", String(SHOWN));
    let found;
    try {
      const response = await fetch(url, { signal, credentials: "same-origin", headers: { Accept: "application/json" } });
      if (!response.ok) {
        rest(waitOf(response));
        return null;
      }
      found = (await response.json()).map((row) => ({ ...row, root: new URL(`${encodeURIComponent(row.channel)}/`, home) }));
      leaveSome(response);
    } catch (error) {
      if (error.name === "AbortError") {
        throw error;
      }
      rest(30);
      return null;
    }
    if (answers.size >= 100) {
      answers.clear();
    }
    answers.set(text, found);
    return found;
  }

  function waitOf(response) {
    if (response.status === 429) {
      const wait = Number(response.headers.get("Retry-After")) || 30;
      return Math.min(Math.max(wait, 5), 600);
    }
    // No such thing there: the folder was copied to a server of plain files.
    return response.status === 404 ? 600 : 30;
  }

  // People behind one address share its limit; the last fifth is left to what cannot do without the daemon.
  function leaveSome(response) {
    const limit = Number(response.headers.get("X-RateLimit-Limit"));
    if (limit && Number(response.headers.get("X-RateLimit-Remaining")) < limit / 5) {
      rest(15);
    }
  }

  // ---- The static index -------------------------------------------------------------------------------------------

  const files = new Map();

  // A JSON file, once; null where it is not to be had, and then it is asked for again next time.
  function read(url) {
    if (!files.has(url.href)) {
      files.set(url.href, load(url).catch(() => {
        files.delete(url.href);
        return null;
      }));
    }
    return files.get(url.href);
  }

  async function load(url) {
    const response = await fetch(url, { credentials: "same-origin" });
    if (!response.ok) {
      throw new Error(`${response.status}`);
    }
    return response.json();
  }

  async function channels() {
    if (here) {
      return [here];
    }
    const known = await read(new URL("channels.json", home));
    const names = known && Array.isArray(known.channels) ? known.channels : [];
    return names.slice(0, CHANNELS).map((name) => new URL(`${encodeURIComponent(name)}/`, home));
  }

  // What the channels' own files know, or null where none of them can be read.
  async function askFiles(text) {
    const found = await Promise.all((await channels()).map((root) => askChannel(root, text)));
    const told = found.filter(Boolean);
    return told.length ? ranked(told.flat(), text).slice(0, SHOWN) : null;
  }

  async function askChannel(root, text) {
    const [index, names] = await Promise.all([
      read(new URL("search/index.json", root)), read(new URL("search/names.json", root)),
    ]);
    if (!index) {
      return null;
    }
    const rows = new Map();
    for (const row of (names && names.names) || []) {
      rows.set(`${row[0]}/${row[1]}`, row);
    }
    const prefix = bestShard(new Set(index.shards.split(" ")), text);
    const shard = prefix && await read(new URL(`search/w/${shardName(prefix)}.json`, root));
    for (const row of shard || []) {
      rows.set(`${row[0]}/${row[1]}`, row);
    }
    const channel = decodeURIComponent(root.pathname.split("/").at(-2) || "");
    return Array.from(rows.values(), ([letter, name, display, summary]) => ({
      channel, root, ecosystem: ECOSYSTEMS[letter], name, display: display || name, summary: summary || "", latest: "",
    }));
  }

  // The words as packhouse/pages/search.py takes them apart.
  function parted(text) {
    return text.normalize("NFKC").toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
  }

  // The shard in which all words are looked for: of a word whose packages are all in one, else of the longest.
  function bestShard(known, text) {
    let best = "";
    let bestWhole = false;
    for (const word of parted(text)) {
      let prefix = "";
      let whole = false;
      for (const letter of word) {
        const next = prefix + letter;
        whole = known.has(next);
        if (!whole && !known.has(`${next}+`)) {
          // Nothing starts with this word, unless the shard before is the last of its row.
          prefix = Array.from(prefix).length < DEPTH ? "" : prefix;
          break;
        }
        prefix = next;
        if (whole) {
          break;
        }
      }
      if (prefix && (whole > bestWhole || (whole === bestWhole && prefix.length > best.length))) {
        best = prefix;
        bestWhole = whole;
      }
    }
    return best;
  }

  function shardName(prefix) {
    return Array.from(prefix, (letter) => (/[a-z0-9]/.test(letter) ? letter : `_${letter.codePointAt(0).toString(16)}_`)).join("");
  }

  // The API's own order: the exact name, its start, a part of it, the summary; then the shorter name.
  function ranked(rows, text) {
    const whole = text.toLowerCase();
    const words = typed(whole);
    const hits = [];
    for (const row of rows) {
      const names = [row.name.toLowerCase(), row.display.toLowerCase()];
      const summary = row.summary.toLowerCase();
      if (words.every((word) => names.some((name) => name.includes(word)) || summary.includes(word))) {
        const first = words[0];
        let rank = 3;
        if (names.includes(whole)) {
          rank = 0;
        } else if (names.some((name) => name.startsWith(first))) {
          rank = 1;
        } else if (names.some((name) => name.includes(first))) {
          rank = 2;
        }
        hits.push({ rank, row });
      }
    }
    const later = (one, other) => (one < other ? -1 : Number(one > other));
    hits.sort((one, other) => one.rank - other.rank
      || one.row.name.length - other.row.name.length
      || later(one.row.name, other.row.name)
      || later(one.row.channel, other.row.channel)
      || later(one.row.ecosystem, other.row.ecosystem));
    return hits.map((hit) => hit.row);
  }

  function typed(text) {
    return text.split(/\s+/).filter(Boolean).slice(0, WORDS);
  }

  // ---- The list ---------------------------------------------------------------------------------------------------

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  const list = element("div", { id: "search-list", role: "listbox", "aria-label": "Packages found", hidden: "" });
  const status = element("p", { role: "status", class: "visually-hidden" });
  form.append(list, status);
  // HTML gives a text field the role of a combobox, and none to a search field.
  input.type = "text";
  for (const [name, value] of Object.entries({
    role: "combobox", enterkeyhint: "search", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id,
    "aria-keyshortcuts": "/",
  })) {
    input.setAttribute(name, value);
  }

  let options = [];
  let active = -1;

  function option(href, ...children) {
    const link = element("a", { role: "option", id: `search-option-${options.length}`, "aria-selected": "false", tabindex: "-1" }, ...children);
    link.href = href;
    options.push(link);
    list.append(element("div", { role: "none" }, link));
  }

  // The text with what was looked for in <mark>; every piece is a text node.
  function marked(text, words) {
    if (!words.length) {
      return [text];
    }
    const escaped = words.map((word) => word.replace(/[\^$\\.*+?()[\]{}|/]/g, "\\$&"));
    return text.split(new RegExp(`(${escaped.join("|")})`, "giu")).map((piece, number) => (
      number % 2 ? element("mark", {}, piece) : piece
    ));
  }

  function show(found, text, fromDaemon) {
    const words = typed(text);
    list.replaceChildren();
    options = [];
    point(-1);
    for (const row of found || []) {
      const facts = [KINDS[row.ecosystem] || row.ecosystem, `in ${row.channel}`, row.latest].filter(Boolean).join(" · ");
      // Names hold nothing that an address would have to escape but plus signs.
      const href = new URL(`${row.ecosystem}/${encodeURIComponent(row.name)}/`, row.root).href;
      const parts = [element("bdi", {}, ...marked(row.display, words)), " ", element("small", {}, facts)];
      option(href, ...parts, ...(row.summary ? [" ", element("span", {}, ...marked(row.summary, words))] : []));
    }
    if (!found || !found.length) {
      const why = found ? `No package matches “${text}”.` : "The search does not answer just now.";
      option((here || home).href, `${why} Look through ${here ? "this channel" : "the channels"} instead.`);
      status.textContent = why;
    } else if (fromDaemon && found.length === SHOWN) {
      const all = new URL("search/", home);
      all.searchParams.set("q", text);
      option(all.href, "All results");
      status.textContent = `The ${SHOWN} best matches, and a link to all.`;
    } else {
      status.textContent = found.length === 1 ? "1 package." : `${found.length} packages.`;
    }
    open(true);
  }

  function open(yes) {
    list.hidden = !yes;
    input.setAttribute("aria-expanded", String(yes));
    if (!yes) {
      point(-1);
    }
  }

  function point(number) {
    if (options[active]) {
      options[active].setAttribute("aria-selected", "false");
    }
    active = number;
    const link = options[active];
    if (link) {
      link.setAttribute("aria-selected", "true");
      link.scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", link.id);
    } else {
      input.removeAttribute("aria-activedescendant");
    }
  }

  // ---- Typing -----------------------------------------------------------------------------------------------------

  let timer = 0;
  let asking = null;

  function forget() {
    window.clearTimeout(timer);
    if (asking) {
      asking.abort();
      asking = null;
    }
  }

  async function search() {
    forget();
    const text = input.value.trim();
    if (!text) {
      status.textContent = "";
      open(false);
      return;
    }
    const mine = new AbortController();
    asking = mine;
    try {
      const told = await askDaemon(text, mine.signal);
      const found = told || await askFiles(text);
      // Another letter was typed meanwhile: this answer is stale.
      if (asking === mine) {
        show(found, text, told !== null);
      }
    } catch (error) {
      if (error.name !== "AbortError") {
        throw error;
      }
    }
  }

  input.addEventListener("input", () => {
    forget();
    timer = window.setTimeout(search, input.value.trim() ? DEBOUNCE_MS : 0);
  });

  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) {
        search();
      } else {
        // One place more than there are options: back in the box.
        const places = options.length + 1;
        const step = event.key === "ArrowDown" ? 1 : places - 1;
        point((active + 1 + step) % places - 1);
      }
    } else if (event.key === "Enter" && options[active]) {
      event.preventDefault();
      options[active].click();
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      forget();
      open(false);
    }
  });

  // The daemon's page of results is not there while the daemon is not: the list is.
  form.addEventListener("submit", (event) => {
    if (Date.now() < restingUntil()) {
      event.preventDefault();
      search();
    }
  });

  // The box keeps the focus, so that a tap on a result is a click on a link that is still there.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  form.addEventListener("focusout", (event) => {
    if (!form.contains(event.relatedTarget)) {
      forget();
      open(false);
    }
  });

  document.addEventListener("keydown", (event) => {
    const place = event.target;
    const writing = place instanceof HTMLElement && (place.isContentEditable || /^(?:input|textarea|select)$/i.test(place.tagName));
    if (event.key === "/" && !writing && !event.defaultPrevented && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      input.focus();
      input.select();
    }
  });
})();
