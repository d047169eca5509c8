"""The page's skeleton, style and script. They refer to nothing outside the file."""

SKELETON = """<!doctype html>
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
<section>
<div class="bar"><h2>Scaling curve</h2>
<div class="controls"><div class="choice" id="axis" role="group" aria-label="horizontal axis"></div>
<div class="choice" id="score" role="group" aria-label="vertical axis"></div></div></div>
<div id="curve" class="plot"></div>
<p class="note">A point is a run; hover it to read it and to see its learning curve. Lines are fitted power laws,
shaded with their intervals.
Measured steps compare only between runs of one kind of device that shared it alike.</p>
<ul id="laws"></ul>
</section>
<section>
<div class="bar"><h2>Learning curves</h2><div class="controls"><div class="choice" id="metric"></div></div></div>
<div id="learning" class="plot"></div>
<p class="note">{curves_note}</p>
</section>
<section>
<div class="bar"><h2>Runs</h2><input id="filter" type="search" placeholder="Filter" aria-label="Filter runs"></div>
<div class="scroll"><table id="runs"><thead><tr>{heads}</tr></thead><tbody>
{body}
</tbody></table></div>
<p class="note">Click a heading to sort. Depth, width and φ are relative to the base network; a MAC is two FLOPs.</p>
</section>
{lost}
<section><h2>Configuration</h2>{config}</section>
<section><h2>Provenance</h2>{provenance}</section>
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
const state = {axis: Object.keys(DATA.axes)[0], score: "accuracy", metric: DATA.metrics[0]};

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

function drawCurve() {
  const a = state.axis, isError = state.score === "error", traces = [], xs = [], ys = [];
  const y = e => isError ? 100 * e : 100 * (1 - e);
  for (const s of DATA.series) {
    const law = s.laws[a], rows = s.rows.filter(r => r.x[a]);
    if (law && law.low) traces.push({x: law.x.concat([...law.x].reverse()),
      y: law.low.map(y).concat(law.high.map(y).reverse()), fill: "toself", fillcolor: s.colour + "1f",
      line: {width: 0}, mode: "lines", hoverinfo: "skip", showlegend: false, legendgroup: s.name});
    if (law) traces.push({x: law.x, y: law.mid.map(y), mode: "lines", line: {color: s.colour, width: 2},
      hoverinfo: "skip", showlegend: false, legendgroup: s.name});
    traces.push({x: rows.map(r => r.x[a]), y: rows.map(r => y(r.error)), text: rows.map(r => r.hover), name: s.name,
      customdata: rows.map(r => r.id),
      mode: "markers", legendgroup: s.name, hovertemplate: "%{text}<extra></extra>",
      marker: {color: s.colour, size: 10, opacity: 0.85, line: {color: "#fff", width: 1.5}}});
    for (const r of rows) { xs.push(r.x[a]); ys.push(y(r.error)); }
  }
  let vertical = {}, horizontal = {};
  if (xs.length) {
    const low = Math.min(...ys), high = Math.max(...ys), room = Math.max(0.15 * (high - low), 0.25);
    vertical = isError
      ? Object.assign(ticks(ys, t => String(+t.toPrecision(3))), {range: [Math.log10(low / 1.3), Math.log10(high * 1.3)]})
      : {range: [Math.max(0, low - room), Math.min(100 + room / 10, high + room)]};
    horizontal = ticks(xs, si);
    horizontal.range = [Math.log10(Math.min(...xs) / 1.35), Math.log10(Math.max(...xs) * 1.35)];
  }
  Plotly.react("curve", traces, layout(axisStyle(DATA.axes[a], horizontal),
    axisStyle(isError ? "Test error (%), log scale" : "Test accuracy (%)", vertical)), OPTIONS);
  document.getElementById("laws").replaceChildren(...DATA.series.map(s => lawItem(s, s.laws[a])));
}

function lawItem(series, law) {
  const item = document.createElement("li"), dot = document.createElement("span");
  dot.className = "dot"; dot.style.background = series.colour;
  item.append(dot, series.name + ": " + (law ? law.formula[0] : DATA.noLaw));
  if (law) {
    const power = document.createElement("sup"), basis = document.createElement("small");
    power.textContent = law.formula[1]; basis.textContent = law.basis;
    item.append(power, basis);
  }
  return item;
}

function drawLearning() {
  const traces = DATA.curves.filter(c => c.lines[state.metric]).map(c => ({x: c.lines[state.metric].x,
    y: c.lines[state.metric].y, name: c.name, mode: "lines", line: {color: c.colour, width: 1.6}, meta: c.id,
    text: c.name, hovertemplate: "%{text}<br>epoch %{x:.4~g}: %{y:.4~g}<extra></extra>"}));
  Plotly.react("learning", traces, layout(axisStyle("epoch"), axisStyle(state.metric),
    {showlegend: traces.length <= 14, legend: {x: 1.01, y: 0.93, xanchor: "left"}}), OPTIONS);
}

function highlight(id) {
  const traces = document.getElementById("learning").data || [];
  if (id && !traces.some(t => t.meta === id)) return;
  Plotly.restyle("learning", {opacity: traces.map(t => !id || t.meta === id ? 1 : 0.15)});
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

choose("axis", DATA.names, drawCurve);
choose("score", {accuracy: "Accuracy", error: "Error"}, drawCurve);
choose("metric", Object.fromEntries(DATA.metrics.map(m => [m, m])), drawLearning);
drawCurve();
if (DATA.curves.length) {
  drawLearning();
  const curve = document.getElementById("curve"), learning = document.getElementById("learning");
  curve.on("plotly_hover", event => highlight(event.points[0].customdata));
  learning.on("plotly_hover", event => highlight(event.points[0].data.meta));
  for (const plot of [curve, learning]) plot.on("plotly_unhover", () => highlight(null));
} else document.getElementById("learning").style.display = "none";
sortable(document.getElementById("runs"));
"""
