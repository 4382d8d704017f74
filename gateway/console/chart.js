// A chart that is fed with options. A key with ~ in front names a colour of the stylesheet, which the theme at
// work resolves; a key with : in front holds the text of a function of the console. Values stay values. Charts
// of one page show the same instant under the pointer.
import { echarts } from "nicegui-echart";

const GROUP = "page";

function resolved(options) {
  if (Array.isArray(options)) return options.map(resolved);
  if (typeof options !== "object" || options === null) return options;
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => {
      if (key.startsWith("~")) return [key.slice(1), colours(value)];
      if (key.startsWith(":")) return [key.slice(1), new Function(`return (${value})`)()];
      return [key, resolved(value)];
    }),
  );
}

const colours = (names) =>
  Array.isArray(names) ? names.map(window.forewarn.colour) : window.forewarn.colour(names);

export default {
  template: "<div></div>",
  props: { options: Object },
  mounted() {
    this.chart = echarts.init(this.$el, null, { renderer: "canvas" });
    this.chart.group = GROUP;
    echarts.connect(GROUP);
    this.observer = new ResizeObserver(() => this.chart.resize());
    this.observer.observe(this.$el);
    addEventListener("forewarn-theme", this.draw);
    this.draw();
  },
  beforeUnmount() {
    removeEventListener("forewarn-theme", this.draw);
    this.observer.disconnect();
    this.chart.dispose();
  },
  methods: {
    draw() {
      const shape = (options) => [options?.series?.length, [options?.yAxis].flat().length].join();
      const options = resolved(this.options);
      this.chart.setOption(options, { notMerge: this.drawn !== shape(options) });
      this.drawn = shape(options);
    },
    update_chart() {
      this.draw();
    },
  },
};
