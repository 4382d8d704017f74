// A table that is fed with data: Vue keeps every row by its key, so that news changes only the cells it
// concerns, and scroll, focus and opened details stay. All text is set as text, never as HTML.
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

export default {
  props: { columns: Array, rows: Array, empty: String, label: String },
  data: () => ({ fresh: new Set() }),
  watch: {
    rows(rows, before) {
      const known = new Set(before.map((row) => row.key));
      this.fresh = new Set(rows.map((row) => row.key).filter((key) => !known.has(key)));
    },
  },
  render() {
    const head = this.columns.map((column) => h("th", { scope: "col", class: column.class }, column.title));
    const body = this.rows.map((row) =>
      h(
        "tr",
        { key: row.key, class: [row.tone, this.fresh.has(row.key) ? "fresh" : null], "data-key": row.key },
        this.columns.map((column) => h("td", { class: column.class }, cell(row.cells[column.name]))),
      ),
    );
    if (this.rows.length === 0) return h("p", { class: "empty", role: "status" }, this.empty);
    return h("div", { class: "sheet" }, [
      h("table", { "aria-label": this.label }, [h("thead", {}, [h("tr", {}, head)]), h("tbody", {}, body)]),
    ]);
  },
};
