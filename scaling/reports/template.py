"""A page's shell, style and what its scripts share. They refer to nothing outside the file."""

SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<header><h1>{title}</h1><p class="lead">{lead}</p></header>
<section class="cards">{cards}</section>
{sections}
</main>
<script>{plotly}</script>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""

STYLE = """
:root { --ink: #1f2430; --muted: #667085; --line: #e4e7ec; --soft: #f6f7f9; --accent: #2563a8; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 40px 28px 72px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; margin: 0 0 6px; }
h2 { font-size: 18px; letter-spacing: -0.01em; margin: 0; }
section { margin-top: 44px; }
.lead { color: var(--muted); margin: 0; font-size: 16px; }
.note { color: var(--muted); font-size: 13px; margin: 8px 0 0; max-width: 100ch; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; margin-top: 28px; }
.card { background: var(--soft); border-radius: 10px; padding: 14px 16px; }
.card b { display: block; font-size: 20px; letter-spacing: -0.02em; white-space: nowrap; font-variant-numeric: tabular-nums; }
.card span { color: var(--muted); font-size: 13px; }
.bar { display: flex; flex-wrap: wrap; gap: 10px 24px; align-items: center; justify-content: space-between;
  border-bottom: 1px solid var(--line); padding-bottom: 10px; margin-bottom: 10px; }
.controls { display: flex; flex-wrap: wrap; gap: 10px; }
.choice { display: inline-flex; flex-wrap: wrap; background: var(--soft); border-radius: 8px; padding: 3px; }
.choice:empty { display: none; }
.choice button { border: 0; background: none; font: inherit; font-size: 13px; color: var(--muted); padding: 4px 11px;
  border-radius: 6px; cursor: pointer; }
.choice button:hover { color: var(--ink); }
.choice button[aria-pressed=true] { background: #fff; color: var(--ink); box-shadow: 0 1px 2px rgb(16 24 40 / 14%); }
.plot { height: 480px; }
#learning { height: 400px; }
#laws { margin: 12px 0 0; padding: 0; list-style: none; font-size: 14px; }
#laws li { padding: 4px 0; }
#laws sup { line-height: 0; } #laws small { display: block; color: var(--muted); margin-left: 17px; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 7px; }
.scroll { overflow: auto; max-height: 560px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 9px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { position: sticky; top: 0; background: #fff; color: var(--muted); font-weight: 600; cursor: pointer; }
.still th { cursor: default; }
.drawing { overflow-x: auto; } .drawing svg { max-width: 100%; height: auto; }
th.text, td.text { text-align: left; }
tbody tr:hover { background: var(--soft); }
code, pre { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--soft); border-radius: 8px; padding: 12px 14px; overflow: auto; max-height: 320px; margin: 8px 0; }
.status { border-radius: 5px; padding: 1px 7px; background: #e8f3ec; color: #1d6b45; }
.status.bad { background: #fdecec; color: #a12a2a; }
details { margin: 10px 0; } summary { cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 5px 20px; margin: 12px 0 0; font-size: 14px; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
input[type=search] { font: inherit; font-size: 13px; padding: 5px 10px; border: 1px solid var(--line); border-radius: 8px; }
@media print { .controls, #filter { display: none; } .scroll { max-height: none; } }
"""

SCRIPT = """
"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const OPTIONS = {responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]]};

function si(v) {
  for (const [f, p] of [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]])
    if (v >= 0.9995 * f) return +(v / f).toPrecision(3) + " " + p;
  return String(+v.toPrecision(3));
}

function ticks(values, format) {
  const low = Math.min(...values) / 1.5, high = Math.max(...values) * 1.5, found = [];
  const steps = high / low > 1000 ? [1] : high / low > 3 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];
  for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++)
    for (const s of steps) { const t = s * 10 ** e; if (t >= low && t <= high) found.push(t); }
  return {type: "log", tickvals: found, ticktext: found.map(format)};
}

function axisStyle(title, more) {
  return Object.assign({title: {text: title, standoff: 12}, gridcolor: "#e9ebef", zeroline: false,
    linecolor: "#98a0ad", automargin: true}, more);
}

function layout(x, y, more) {
  return Object.assign({font: {family: FONT, size: 13, color: "#1f2430"}, margin: {l: 64, r: 12, t: 12, b: 56},
    paper_bgcolor: "#fff", plot_bgcolor: "#fff", hovermode: "closest", xaxis: x, yaxis: y,
    hoverlabel: {bgcolor: "#fff", bordercolor: "#cfd4dc", align: "left", font: {family: FONT, size: 13, color: "#1f2430"}},
    legend: {orientation: "h", y: 1.02, yanchor: "bottom", x: 0}}, more);
}

function choose(id, options, draw) {
  const box = document.getElementById(id);
  if (Object.keys(options).length < 2) return;
  for (const [key, label] of Object.entries(options)) {
    const button = document.createElement("button");
    button.textContent = label;
    button.setAttribute("aria-pressed", key === state[id]);
    button.onclick = () => {
      state[id] = key;
      for (const b of box.children) b.setAttribute("aria-pressed", b === button);
      draw();
    };
    box.append(button);
  }
}

function sortable(table) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, i) => {
    let up = false;
    head.onclick = () => {
      up = !up;
      const value = row => { const v = row.cells[i].dataset.v; return v === undefined ? row.cells[i].textContent : +v; };
      const sign = up ? 1 : -1;
      const rows = [...body.rows].sort((a, b) => {
        const p = value(a), q = value(b);
        return sign * (typeof p === "number" ? p - q : p.localeCompare(q));
      });
      body.replaceChildren(...rows);
    };
  });
  document.getElementById("filter").oninput = event => {
    const text = event.target.value.toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(text);
  };
}
"""
