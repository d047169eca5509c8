// The page of a study: its curve and its learning curves.
const state = { axis: Object.keys(DATA.axes)[0], score: "accuracy", metric: DATA.metrics[0] };

function drawCurve() {
  const a = state.axis,
    isError = state.score === "error",
    traces = [],
    xs = [],
    ys = [];
  const y = (e) => (isError ? 100 * e : 100 * (1 - e));
  for (const s of DATA.series) {
    const law = s.laws[a],
      rows = s.rows.filter((r) => r.x[a]);
    if (law.x)
      traces.push({
        x: law.x.concat([...law.x].reverse()),
        y: law.low.map(y).concat(law.high.map(y).reverse()),
        fill: "toself",
        fillcolor: `${s.colour}1f`,
        line: { width: 0 },
        mode: "lines",
        hoverinfo: "skip",
        showlegend: false,
        legendgroup: s.name,
      });
    if (law.x)
      traces.push({
        x: law.x,
        y: law.mid.map(y),
        mode: "lines",
        line: { color: s.colour, width: 2 },
        hoverinfo: "skip",
        showlegend: false,
        legendgroup: s.name,
      });
    traces.push({
      x: rows.map((r) => r.x[a]),
      y: rows.map((r) => y(r.error)),
      text: rows.map((r) => r.hover),
      name: s.name,
      customdata: rows.map((r) => r.id),
      mode: "markers",
      legendgroup: s.name,
      hovertemplate: "%{text}<extra></extra>",
      marker: { color: s.colour, size: 10, opacity: 0.85, line: { color: "#fff", width: 1.5 } },
      error_y: whiskers(rows, y, s.colour),
    });
    for (const r of rows) {
      xs.push(r.x[a]);
      ys.push(y(r.error));
    }
  }
  let vertical = {},
    horizontal = {};
  if (xs.length) {
    const low = Math.min(...ys),
      high = Math.max(...ys),
      room = Math.max(0.15 * (high - low), 0.25);
    vertical = isError
      ? Object.assign(
          ticks(ys, (t) => String(+t.toPrecision(3))),
          { range: [Math.log10(low / 1.3), Math.log10(high * 1.3)] },
        )
      : { range: [Math.max(0, low - room), Math.min(100 + room / 10, high + room)] };
    horizontal = ticks(xs, si);
    horizontal.range = [Math.log10(Math.min(...xs) / 1.35), Math.log10(Math.max(...xs) * 1.35)];
  }
  Plotly.react(
    "curve",
    traces,
    layout(
      axisStyle(DATA.axes[a], horizontal),
      axisStyle(isError ? "Test error (%), log scale" : `Test ${DATA.score} (%)`, vertical),
    ),
    OPTIONS,
  );
  document.getElementById("laws").replaceChildren(...DATA.series.map((s) => lawItem(s, s.laws[a])));
}

// The interval of each run's score, as lengths above and below its point.
function whiskers(rows, y, colour) {
  const reach = (which) => rows.map((r) => (r.errors ? Math.abs(y(r.errors[which(r)]) - y(r.error)) : 0));
  const up = (r) => (y(r.errors[1]) > y(r.errors[0]) ? 1 : 0);
  return {
    type: "data",
    symmetric: false,
    array: reach(up),
    arrayminus: reach((r) => 1 - up(r)),
    color: colour,
    thickness: 1,
    width: 0,
  };
}

function lawItem(series, law) {
  const item = document.createElement("li"),
    dot = document.createElement("span");
  dot.className = "dot";
  dot.style.background = series.colour;
  item.append(dot, `${series.name}: ${law.x ? law.formula[0] : law.none}`);
  if (law.x) {
    const power = document.createElement("sup"),
      basis = document.createElement("small");
    power.textContent = law.formula[1];
    basis.textContent = law.basis;
    item.append(power, basis);
  }
  return item;
}

function drawLearning() {
  const traces = DATA.curves
    .filter((c) => c.lines[state.metric])
    .map((c) => ({
      x: c.lines[state.metric].x,
      y: c.lines[state.metric].y,
      name: c.name,
      mode: "lines",
      line: { color: c.colour, width: 1.6 },
      meta: c.id,
      text: c.name,
      hovertemplate: "%{text}<br>epoch %{x:.4~g}: %{y:.4~g}<extra></extra>",
    }));
  Plotly.react(
    "learning",
    traces,
    layout(axisStyle("epoch"), axisStyle(state.metric), {
      showlegend: traces.length <= 14,
      legend: { x: 1.01, y: 0.93, xanchor: "left" },
    }),
    OPTIONS,
  );
}

function highlight(id) {
  const traces = document.getElementById("learning").data || [];
  if (id && !traces.some((t) => t.meta === id)) return;
  Plotly.restyle("learning", { opacity: traces.map((t) => (!id || t.meta === id ? 1 : 0.15)) });
}

choose(state, "axis", DATA.names, drawCurve);
choose(
  state,
  "score",
  { accuracy: DATA.score[0].toUpperCase() + DATA.score.slice(1), error: "Error" },
  drawCurve,
);
choose(state, "metric", Object.fromEntries(DATA.metrics.map((m) => [m, m])), drawLearning);
drawCurve();
if (DATA.curves.length) {
  drawLearning();
  const curve = document.getElementById("curve"),
    learning = document.getElementById("learning");
  curve.on("plotly_hover", (event) => highlight(event.points[0].customdata));
  learning.on("plotly_hover", (event) => highlight(event.points[0].data.meta));
  for (const plot of [curve, learning]) plot.on("plotly_unhover", () => highlight(null));
} else document.getElementById("learning").style.display = "none";
sortable(document.getElementById("runs"));
