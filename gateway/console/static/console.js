// What every page of the console needs at once: the theme before the first paint, a clock that all relative
// times on the page share, and the keys. The gateway's clock may run faster than the wall's (the demo's does).
(() => {
  const THEME = "forewarn-theme";
  const LANGUAGE = "forewarn_language";
  const KEYS_OFF = "forewarn-keys-off";
  const root = document.documentElement;

  const saved = localStorage.getItem(THEME);
  if (saved) root.dataset.theme = saved;

  const themed = () => dispatchEvent(new Event("forewarn-theme"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themed);

  function markTheme() {
    const chosen = root.dataset.theme ?? "";
    for (const button of document.querySelectorAll("#account button[data-theme]"))
      button.setAttribute("aria-pressed", button.value === chosen);
  }

  const clock = { gateway: Date.now(), wall: performance.now(), speed: 1 };

  window.forewarn = {
    theme(chosen) {
      if (chosen) {
        root.dataset.theme = chosen;
        localStorage.setItem(THEME, chosen);
      } else {
        delete root.dataset.theme;
        localStorage.removeItem(THEME);
      }
      markTheme();
      themed();
    },
    speak(language) {
      document.cookie = `${LANGUAGE}=${language}; path=/; max-age=31536000; samesite=lax`;
      location.reload();
    },
    // A colour of the stylesheet as the theme at work has it, for what is drawn on a canvas.
    colour(name) {
      const probe = document.body.appendChild(document.createElement("i"));
      probe.style.color = `var(--${name})`;
      const colour = getComputedStyle(probe).color;
      probe.remove();
      return colour;
    },
    // The keys of the rows that an action is meant for: those selected, else by keyboard the one walked to.
    picked(event) {
      const selected = [...document.querySelectorAll("main tr.selected[data-key]")];
      const chosen = selected.length ? selected : event.detail === 0 ? rows().filter((row) => "at" in row.dataset) : [];
      return chosen.map((row) => row.dataset.key);
    },
    showKeys() {
      document.querySelector(":popover-open")?.hidePopover();
      document.getElementById("keys")?.showModal();
    },
    setClock(gateway, speed) {
      Object.assign(clock, { gateway, wall: performance.now(), speed });
      refresh();
    },
    now: () => clock.gateway + (performance.now() - clock.wall) * clock.speed,
  };

  const STEPS = [
    [60, 1, "second"],
    [3600, 60, "minute"],
    [172800, 3600, "hour"],
    [Infinity, 86400, "day"],
  ];

  const made = {};
  const spoken = (language = root.lang) =>
    (made[language] ??= {
      relative: new Intl.RelativeTimeFormat(language, { style: "short", numeric: "always" }),
      now: new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(0, "second"),
      exact: new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" }),
    });

  function relative(ms) {
    const seconds = (window.forewarn.now() - ms) / 1000;
    const distance = Math.abs(seconds);
    if (distance < 5) return spoken().now;
    const [, size, unit] = STEPS.find(([limit]) => distance < limit);
    return spoken().relative.format(-Math.sign(seconds) * Math.floor(distance / size), unit);
  }

  // Numbers from large to small in English: as in logs, and as the day comes first or last elsewhere.
  const exact = (ms) =>
    root.lang.startsWith("en")
      ? new Date(ms).toISOString().replace("T", " ").replace(/(\.000)?Z$/, " UTC")
      : `${spoken().exact.format(ms)} UTC`;

  // <fw-time ms="1767225600000"> shows "3 min ago" and says exactly when on hover.
  // <fw-time ms="..." exact> shows the instant and says how long ago on hover.
  // With due, an instant that has passed is marked overdue.
  // <fw-time now> shows the gateway's own time.
  const shown = new Set();

  class Time extends HTMLElement {
    static observedAttributes = ["ms"];

    connectedCallback() {
      this.text ??= this.attachShadow({ mode: "open" }).appendChild(document.createElement("time"));
      shown.add(this);
      this.refresh();
    }

    disconnectedCallback() {
      shown.delete(this);
    }

    attributeChangedCallback() {
      if (this.text) this.refresh();
    }

    refresh() {
      const own = this.hasAttribute("now");
      const ms = own ? Math.floor(window.forewarn.now() / 1000) * 1000 : Number(this.getAttribute("ms"));
      const [text, hint] =
        own || this.hasAttribute("exact") ? [exact(ms), own ? "" : relative(ms)] : [relative(ms), exact(ms)];
      if (this.text.textContent !== text) this.text.textContent = text;
      if (this.title !== hint) this.title = hint;
      if (this.hasAttribute("due")) this.toggleAttribute("overdue", ms < window.forewarn.now());
      this.text.dateTime = new Date(ms).toISOString();
    }
  }

  const refresh = () => shown.forEach((time) => time.refresh());

  customElements.define("fw-time", Time);
  setInterval(refresh, 1000);

  // Keys. Rows of sheets are walked by focus, so that enter opens and screen readers follow. Buttons say by
  // data-shortcut which key presses them; links of the frame say by data-go which follows a g.
  const field = (element) => element?.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
  const rows = () => [...document.querySelectorAll("main tr[data-key]")].filter((row) => row.offsetParent);
  const currentRow = () => document.activeElement?.closest?.("tr[data-key]");
  const focusRow = (row) => {
    const target = row.querySelector("a.row-link") ?? row;
    if (target === row) row.tabIndex = -1;
    target.focus();
    row.scrollIntoView({ block: "nearest" });
  };

  // The row that a walk goes on from when its focus was lost to a button, or when it is gone.
  let walked = { key: null, at: 0 };

  function walkedTo(row) {
    document.querySelectorAll("tr[data-at]").forEach((other) => delete other.dataset.at);
    row.dataset.at = "";
    walked = { key: row.dataset.key, at: rows().indexOf(row) };
  }

  function walk(step) {
    const all = rows();
    if (!all.length) return;
    const known = all.findIndex((row) => row.dataset.key === walked.key);
    const next = known >= 0 ? known + step : walked.key === null ? 0 : walked.at;
    focusRow(all[Math.min(Math.max(next, 0), all.length - 1)]);
  }

  const usable = (element) => element && !element.disabled && element.offsetParent !== null;
  const marked = (name, key) =>
    [...document.querySelectorAll(`[${name}="${CSS.escape(key)}"]`)].find((element) =>
      name === "data-go" ? true : usable(element),
    );

  const COMMANDS = {
    j: () => walk(1),
    k: () => walk(-1),
    "/": () => document.querySelector("main input[type=search]")?.select(),
    "?": () => window.forewarn.showKeys(),
    x: (event) => document.querySelector("main tr[data-at]")?.querySelector("input.select")?.dispatchEvent(
      new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: event.shiftKey }),
    ),
    Escape: () => dispatchEvent(new Event("forewarn-escape")),
  };
  COMMANDS.ArrowDown = (event) => currentRow() && walk(1, event);
  COMMANDS.ArrowUp = (event) => currentRow() && walk(-1, event);

  let going = 0;

  function pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
    if (event.key === "Escape" && field(event.target)) return event.target.blur();
    if (field(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key !== "Escape" && localStorage.getItem(KEYS_OFF)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const sequence = performance.now() < going;
    going = 0;
    const target = sequence ? marked("data-go", key) : marked("data-shortcut", key);
    if (target) target.click();
    else if (key === "g") going = performance.now() + 1500;
    else if (COMMANDS[key]) {
      if (key.startsWith("Arrow") && !currentRow()) return;
      COMMANDS[key](event);
    } else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", pressed);
  document.addEventListener("focusin", () => currentRow() && walkedTo(currentRow()));

  // The page is drawn by its framework after this script: what needs elements waits for them.
  document.addEventListener("toggle", (event) => event.target.id === "account" && markTheme(), true);
  document.addEventListener("change", (event) => {
    if (event.target.id !== "keys-off") return;
    if (event.target.checked) localStorage.setItem(KEYS_OFF, "yes");
    else localStorage.removeItem(KEYS_OFF);
  });
  document.addEventListener("toggle", (event) => {
    const box = document.getElementById("keys-off");
    if (event.target.id === "keys" && box) box.checked = Boolean(localStorage.getItem(KEYS_OFF));
  }, true);
})();
