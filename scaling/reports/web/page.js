// What all pages share: this file, table.js and the scripts of a page are inlined as one.
"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const OPTIONS = {
  responsive: true,
  displaylogo: false,
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
};
const THEMES = { auto: "Auto", light: "Light", dark: "Dark" };
const DARK = matchMedia("(prefers-color-scheme: dark)");

// What the reader has set stands in the address after "#": a reload or a link shows the same again.
function recalled(defaults) {
  const told = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(Object.entries(defaults).map(([key, value]) => [key, told.get(key) ?? value]));
}

function remember(state, defaults) {
  const changed = Object.entries(state).filter(([key, value]) => value !== defaults[key]);
  const text = new URLSearchParams(changed).toString();
  history.replaceState(null, "", location.href.split("#")[0] + (text && `#${text}`));
}

addEventListener("hashchange", () => location.reload());

function element(name, attributes, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

// Buttons of which one is pressed; `state[id]` is its key.
function choose(state, id, options, draw) {
  const box = document.getElementById(id);
  if (!(state[id] in options)) state[id] = Object.keys(options)[0];
  if (Object.keys(options).length < 2) return;
  for (const [key, label] of Object.entries(options)) {
    const button = element("button", { type: "button", value: key }, label);
    button.onclick = () => {
      state[id] = key;
      press(state, id);
      draw();
    };
    box.append(button);
  }
  press(state, id);
}

function press(state, id) {
  for (const button of document.getElementById(id).children)
    button.setAttribute("aria-pressed", button.value === state[id]);
}

// The switch of the theme, and a new drawing where it changes, here or in the system.
function themed(state, draw) {
  const apply = () => {
    document.documentElement.dataset.theme = state.theme;
    draw();
  };
  choose(state, "theme", THEMES, apply);
  document.documentElement.dataset.theme = state.theme;
  DARK.addEventListener("change", draw);
}

// A colour of page.css as the theme has it.
function tone(name) {
  const probe = document.getElementById("probe");
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

// A mixture of two colours "#rrggbb", `share` of the second.
function mixed(colour, other, share) {
  const parts = (hex) => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
  const [a, b] = [parts(colour), parts(other)];
  return `#${a
    .map((v, i) =>
      Math.round(v + share * (b[i] - v))
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

function isDark() {
  const theme = document.documentElement.dataset.theme;
  return theme === "dark" || (theme !== "light" && DARK.matches);
}

// A curve's colour, lighter where the page is dark.
function onPaper(colour) {
  return isDark() ? mixed(colour, "#ffffff", 0.35) : colour;
}

function si(v) {
  for (const [f, p] of [
    [1e18, "E"],
    [1e15, "P"],
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ])
    if (v >= 0.9995 * f) return `${+(v / f).toPrecision(3)} ${p}`;
  return String(+v.toPrecision(3));
}

// A logarithmic axis that holds these values: its marks and its range.
function logarithmic(values, room, format) {
  const low = Math.min(...values) / room,
    high = Math.max(...values) * room;
  const found = high / low > 5 ? decades(low, high) : even(low, high);
  const range = [Math.log10(low), Math.log10(high)];
  return { type: "log", tickvals: found, ticktext: found.map(format), range };
}

function decades(low, high) {
  const steps = high / low > 1000 ? [1] : [1, 2, 5],
    first = Math.floor(Math.log10(low)),
    count = Math.ceil(Math.log10(high)) - first;
  const marks = Array.from({ length: count }, (_, i) => steps.map((s) => s * 10 ** (first + i))).flat();
  return marks.filter((t) => t >= low && t <= high);
}

// About five round values.
function even(low, high) {
  const size = 10 ** Math.floor(Math.log10((high - low) / 5)),
    step = [1, 2, 5, 10].map((s) => s * size).find((s) => (high - low) / s <= 6);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

function axisStyle(title, more) {
  return Object.assign(
    {
      title: { text: title, standoff: 8 },
      gridcolor: tone("line"),
      zeroline: false,
      linecolor: tone("muted"),
      automargin: true,
    },
    more,
  );
}

function layout(x, y, more) {
  return Object.assign(
    {
      font: { family: FONT, size: 13, color: tone("ink") },
      margin: { l: 48, r: 12, t: 28, b: 48 },
      paper_bgcolor: tone("paper"),
      plot_bgcolor: tone("paper"),
      hovermode: "closest",
      showlegend: false,
      xaxis: x,
      yaxis: y,
      modebar: { bgcolor: "transparent", color: tone("muted"), activecolor: tone("ink") },
      hoverlabel: {
        bgcolor: tone("paper"),
        bordercolor: tone("muted"),
        align: "left",
        font: { family: FONT, size: 13, color: tone("ink") },
      },
    },
    more,
  );
}
