// Small multiples: one little chart a signal, all over the same time. Dragging over one chooses a span for
// all of them; pointing at one shows what all of them measured then. Which charts are in sight is told, and only
// those are fed. All text is set as text, never as HTML.
const { h } = Vue;
const WIDTH = 1000, HEIGHT = 100;
const SMALLEST = 0.01; // of the width; less is a click

const number = (value) =>
  Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(2) : String(+value.toFixed(3));

export default {
  props: { panels: Array, span: Object, words: Object },
  emits: ["zoom", "sight"],
  data: () => ({ pointed: null, from: null, to: null }),
  mounted() {
    this.inSight = new Set();
    this.observer = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: "200px 0px" });
    this.observe();
  },
  updated() {
    this.observe();
  },
  unmounted() {
    this.observer.disconnect();
    clearTimeout(this.telling);
  },
  methods: {
    observe() {
      for (const figure of this.$el.querySelectorAll("figure")) this.observer.observe(figure);
    },
    seen(entries) {
      for (const entry of entries) {
        const key = entry.target.dataset.key;
        entry.isIntersecting ? this.inSight.add(key) : this.inSight.delete(key);
      }
      clearTimeout(this.telling);
      this.telling = setTimeout(() => this.$emit("sight", [...this.inSight]), 120);
    },
    place(event) {
      const box = event.currentTarget.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    },
    down(event) {
      if (event.button !== 0 || event.pointerType === "touch") return;
      event.currentTarget.setPointerCapture(event.pointerId);
      this.from = this.to = this.place(event);
    },
    move(event) {
      this.pointed = this.place(event);
      if (this.from !== null) this.to = this.pointed;
    },
    up() {
      if (this.from === null) return;
      const [left, right] = [this.from, this.to].sort((a, b) => a - b);
      this.from = this.to = null;
      if (right - left < SMALLEST) return;
      this.$emit("zoom", [Math.round(this.at(left)), Math.round(this.at(right))]);
    },
    leave() {
      if (this.from === null) this.pointed = null;
    },
    cancel() {
      this.from = this.to = this.pointed = null;
    },
    at(share) {
      return this.span.start + share * (this.span.end - this.span.start);
    },
    x(ts) {
      return ((ts - this.span.start) / (this.span.end - this.span.start)) * WIDTH;
    },
    y(panel, value) {
      const shown = panel.kind === "text" ? panel.texts.indexOf(value) : Number(value);
      const [low, high] = panel.kind === "number" ? [panel.low, panel.high] : [-0.15, Math.max(1, panel.texts.length - 1) + 0.15];
      return HEIGHT - ((shown - low) / (high - low || 1)) * HEIGHT;
    },
    path(panel, points) {
      const steps = panel.kind !== "number";
      let path = "", height = null;
      for (const [ts, value] of points) {
        if (value === null) {
          height = null;
          continue;
        }
        const x = this.x(ts).toFixed(1), y = this.y(panel, value).toFixed(1);
        if (height === null) path += `M${x} ${y}h0.01`;
        else path += steps ? `H${x}V${y}` : `L${x} ${y}`;
        height = y;
      }
      return path;
    },
    shown(panel, value) {
      if (value === undefined || value === null) return this.words.unknown;
      if (panel.kind === "boolean") return value ? this.words.yes : this.words.no;
      return typeof value === "number" ? number(value) : String(value);
    },
    // The last reading at or before an instant.
    reading(points, ts) {
      let low = 0, high = points.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        points[middle][0] <= ts ? (low = middle + 1) : (high = middle);
      }
      return points[low - 1];
    },
    time(ts, exact) {
      const long = this.span.end - this.span.start > 36 * 3600e3;
      const text = new Date(ts).toISOString();
      return exact ? text.slice(0, 19).replace("T", " ") : long ? text.slice(5, 16).replace("T", " ") : text.slice(11, 16);
    },
    caption(panel) {
      const several = panel.lines.length > 1;
      const ts = this.pointed === null ? null : this.at(this.pointed);
      return h("figcaption", { class: several ? "several" : null }, [
        h("span", { class: "title" }, several && panel.unit ? `${panel.title}, ${panel.unit}` : panel.title),
        ...panel.lines.map((line, index) => {
          const point = ts === null ? null : this.reading(line.points, ts);
          return h("span", { class: "latest" }, [
            several ? h("i", { class: `line-${(index % 6) + 1}` }) : null,
            line.component ? h("span", { class: "component" }, line.component) : null,
            h("b", ts === null || !line.points.length ? line.latest : this.shown(panel, point?.[1])),
            panel.unit && !several ? h("span", { class: "unit" }, panel.unit) : null,
          ]);
        }),
      ]);
    },
    plot(panel) {
      const share = (part) => `${(part * 100).toFixed(2)}%`;
      const marks = panel.markers.filter(({ at }) => at >= this.span.start && at <= this.span.end);
      const drawing = h(
        "svg",
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
        [
          ...marks.map(({ at, word }) =>
            h("line", { class: ["marker", word], x1: this.x(at), x2: this.x(at), y1: 0, y2: HEIGHT }),
          ),
          ...panel.lines.map((line, index) => h("path", { class: `line-${(index % 6) + 1}`, d: this.path(panel, line.points) })),
        ],
      );
      const [left, right] = this.from === null ? [] : [this.from, this.to].sort((a, b) => a - b);
      const fed = panel.lines.some((line) => line.points.length);
      const ends = !fed ? [] : panel.kind === "number" ? [panel.high, panel.low].map(number) : panel.kind === "boolean" ? [this.words.yes, this.words.no] : [];
      return h(
        "div",
        {
          class: "plot", onPointerdown: this.down, onPointermove: this.move, onPointerup: this.up,
          onPointerleave: this.leave, onPointercancel: this.cancel,
        },
        [
          drawing,
          ...ends.map((text, index) => h("span", { class: ["edge", index ? "low" : "high"] }, text)),
          this.pointed === null ? null : h("span", { class: "pointer", style: { left: share(this.pointed) } }),
          left === undefined ? null : h("span", { class: "brush", style: { left: share(left), width: share(right - left) } }),
        ],
      );
    },
    panel(panel) {
      const times = this.pointed === null
        ? [h("span", this.time(this.span.start)), h("span", this.time(this.span.end))]
        : [h("span", { class: "then" }, `${this.time(this.at(this.pointed), true)} UTC`)];
      return h("figure", { key: panel.key, class: ["multiple", panel.kind], "data-key": panel.key, "aria-label": panel.spoken, role: "group" }, [
        this.caption(panel),
        this.plot(panel),
        h("div", { class: "times", "aria-hidden": "true" }, times),
      ]);
    },
  },
  render() {
    return h("div", { class: "multiples" }, this.panels.map((panel) => this.panel(panel)));
  },
};
