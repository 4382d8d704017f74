// What every page of the console needs at once: the theme before the first paint, and a clock that all
// relative times on the page share. The gateway's clock may run faster than the wall's (the demo's does).
(() => {
  const THEME = "forewarn-theme";
  const root = document.documentElement;

  const saved = localStorage.getItem(THEME);
  if (saved) root.dataset.theme = saved;

  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  const clock = { gateway: Date.now(), wall: performance.now(), speed: 1 };

  window.forewarn = {
    toggleTheme() {
      root.dataset.theme = isDark() ? "light" : "dark";
      localStorage.setItem(THEME, root.dataset.theme);
    },
    setClock(gateway, speed) {
      Object.assign(clock, { gateway, wall: performance.now(), speed });
      refresh();
    },
    now: () => clock.gateway + (performance.now() - clock.wall) * clock.speed,
  };

  const STEPS = [
    [60, 1, "s"],
    [3600, 60, "min"],
    [172800, 3600, "h"],
    [Infinity, 86400, "d"],
  ];

  function relative(ms) {
    const seconds = (window.forewarn.now() - ms) / 1000;
    const distance = Math.abs(seconds);
    if (distance < 5) return "just now";
    const [, size, unit] = STEPS.find(([limit]) => distance < limit);
    const amount = `${Math.floor(distance / size)} ${unit}`;
    return seconds >= 0 ? `${amount} ago` : `in ${amount}`;
  }

  const exact = (ms) => new Date(ms).toISOString().replace("T", " ").replace(/(\.000)?Z$/, " UTC");

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
})();
