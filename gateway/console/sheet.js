// A table that is fed with data: Vue keeps every row by its key, so that news changes only the cells it
// concerns, and scroll, focus and opened details stay. All text is set as text, never as HTML.
//
// A sheet that holds still (`hold`) takes rows in and out only when nobody points at it, works in it or has
// scrolled into it; until then it says how many are new. What changes in a row is shown in place at once.
const { h } = Vue;

function cell(content) {
  if (content === null || content === undefined) return null;
  const parts = [];
  if (content.mark) parts.push(h("span", { class: ["mark", content.mark], "aria-hidden": "true" }));
  if (content.ms !== undefined) parts.push(h("fw-time", { ms: content.ms, due: content.due ? "" : null }));
  else if (content.href) parts.push(h("a", { href: content.href, class: content.main ? "row-link" : null }, content.text));
  else parts.push(h("span", { class: content.tone ? ["tone", content.tone] : null }, content.text));
  if (content.unit) parts.push(h("span", { class: "unit" }, content.unit));
  if (content.sub) parts.push(h("span", { class: "sub" }, content.sub));
  if (content.details)
    parts.push(h("details", {}, [h("summary", {}, content.summary), h("pre", {}, content.details)]));
  return parts;
}

const keysOf = (rows) => new Set(rows.map((row) => row.key));

export default {
  props: {
    columns: Array, rows: Array, empty: String, label: String,
    selectable: Boolean, hold: Boolean, list: String, words: Object,
  },
  emits: ["select"],
  data() {
    return { shown: this.rows, listed: this.list, fresh: new Set(), selected: new Set(), anchor: null, waiting: 0 };
  },
  watch: {
    rows(rows) {
      if (this.hold && this.list === this.listed && this.shown.length && this.busy()) this.keepStill(rows);
      else this.take(rows);
    },
  },
  mounted() {
    this.settle = () => setTimeout(() => this.waiting && !this.busy() && this.take(this.rows), 200);
    this.clear = () => this.select(new Set());
    addEventListener("scroll", this.settle, { passive: true });
    addEventListener("forewarn-escape", this.clear);
  },
  unmounted() {
    removeEventListener("scroll", this.settle);
    removeEventListener("forewarn-escape", this.clear);
  },
  methods: {
    busy() {
      const at = this.$el;
      return scrollY > 60 || this.selected.size > 0 || at.matches(":hover") || at.contains(document.activeElement);
    },
    take(rows) {
      const known = keysOf(this.shown);
      this.fresh = new Set(rows.map((row) => row.key).filter((key) => !known.has(key)));
      this.shown = rows;
      this.listed = this.list;
      this.waiting = 0;
      this.drop();
    },
    keepStill(rows) {
      const now = new Map(rows.map((row) => [row.key, row]));
      const shown = keysOf(this.shown);
      this.shown = this.shown.map((row) => now.get(row.key) ?? { ...row, gone: true });
      const news = rows.filter((row) => !shown.has(row.key)).length;
      this.waiting = news || (this.shown.some((row) => row.gone) ? -1 : 0);
      this.drop();
    },
    drop() {
      const there = keysOf(this.shown.filter((row) => !row.gone));
      const kept = [...this.selected].filter((key) => there.has(key));
      if (kept.length !== this.selected.size) this.select(new Set(kept));
    },
    select(selected) {
      if (!selected.size && !this.selected.size) return;
      this.selected = selected;
      this.$emit("select", [...selected]);
    },
    pick(event, key) {
      const keys = this.shown.filter((row) => !row.gone).map((row) => row.key);
      const selected = new Set(this.selected);
      const add = !selected.has(key);
      const from = event.shiftKey && this.anchor !== null ? keys.indexOf(this.anchor) : -1;
      const at = keys.indexOf(key);
      const range = from < 0 ? [key] : keys.slice(Math.min(from, at), Math.max(from, at) + 1);
      for (const one of range) add ? selected.add(one) : selected.delete(one);
      this.anchor = key;
      this.select(selected);
    },
    pickAll(event) {
      const keys = this.shown.filter((row) => !row.gone).map((row) => row.key);
      this.select(new Set(event.target.checked ? keys : []));
    },
    box(properties) {
      return h("input", { type: "checkbox", ...properties });
    },
    row(row) {
      const selected = this.selected.has(row.key);
      const tone = [row.tone, this.fresh.has(row.key) && "fresh", row.gone && "gone", selected && "selected"];
      const cells = this.columns.map((column) =>
        h("td", { class: column.class, "data-column": column.name }, cell(row.cells[column.name])),
      );
      if (this.selectable)
        cells.unshift(
          h("td", { class: "pick" }, [
            this.box({
              class: "select", checked: selected, disabled: row.gone, "aria-label": `${this.words.select} ${row.name ?? row.key}`,
              onClick: (event) => this.pick(event, row.key),
            }),
          ]),
        );
      return h("tr", { key: row.key, class: tone, "data-key": row.key }, cells);
    },
    head() {
      const cells = this.columns.map((column) => h("th", { scope: "col", class: column.class }, column.title));
      if (!this.selectable) return cells;
      const all = this.shown.length > 0 && this.selected.size === this.shown.length;
      const box = this.box({ checked: all, "aria-label": this.words.all, onChange: (event) => this.pickAll(event) });
      return [h("td", { class: "pick" }, [box]), ...cells];
    },
    news() {
      if (!this.waiting) return null;
      const text = this.waiting < 0 ? this.words.changed : this.words.fresh.replace("{number}", this.waiting);
      const take = () => this.take(this.rows);
      return h("p", { class: "news", role: "status" }, [
        h("button", { type: "button", class: "plain", "data-shortcut": "n", onClick: take }, [text, h("kbd", "n")]),
      ]);
    },
  },
  render() {
    const on = { onMouseleave: () => this.settle(), onFocusout: () => this.settle() };
    if (this.shown.length === 0) return h("div", {}, [h("p", { class: "empty", role: "status" }, this.empty)]);
    return h("div", { class: "sheet-frame", ...on }, [
      this.news(),
      h("div", { class: "sheet", role: "region", tabindex: "0", "aria-label": this.label }, [
        h("table", { "aria-label": this.label }, [
          h("thead", {}, [h("tr", {}, this.head())]),
          h("tbody", {}, this.shown.map((row) => this.row(row))),
        ]),
      ]),
    ]);
  },
};
