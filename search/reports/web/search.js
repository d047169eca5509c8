// The page of a search: its anytime curve.
const DEFAULTS = { axis: "evaluations", score: "best", filter: "", sort: "", theme: "auto" };
const state = recalled(DEFAULTS);

function band(c, fill, group) {
  return {
    x: c.x.concat([...c.x].reverse()),
    y: c.low.concat([...c.high].reverse()),
    fill: "toself",
    fillcolor: fill,
    line: { width: 0 },
    mode: "lines",
    hoverinfo: "skip",
    showlegend: false,
    legendgroup: group,
  };
}

// A stepped band: each value holds until the next x.
function stepped(c) {
  const x = [],
    low = [],
    high = [];
  c.x.forEach((v, i) => {
    if (i) {
      x.push(v);
      low.push(c.low[i - 1]);
      high.push(c.high[i - 1]);
    }
    x.push(v);
    low.push(c.low[i]);
    high.push(c.high[i]);
  });
  return { x, low, high };
}

function drawCurve() {
  const regret = state.score === "regret",
    traces = [];
  const y = (v) => (regret ? (DATA.optimum - v > 1e-12 ? DATA.optimum - v : null) : v);
  const turned = (c) =>
    regret
      ? {
          x: c.x,
          mean: c.mean.map(y),
          low: c.high.map((v) => Math.max(DATA.optimum - v, 1e-6)),
          high: c.low.map(y),
        }
      : c;
  const e = DATA.expected?.curves[state.axis];
  if (e) {
    const c = turned(e),
      name = DATA.expected.name;
    if (!regret) traces.push(band(c, "#80808030", name));
    traces.push({
      x: c.x,
      y: c.mean,
      name: name,
      legendgroup: name,
      mode: "lines",
      line: { color: tone("muted"), width: 2, dash: "dash" },
      hovertemplate: "%{x:.4~g}: %{y:.5~g}<extra></extra>",
    });
  }
  for (const s of DATA.series) {
    const c = s.curves[state.axis] && turned(s.curves[state.axis]),
      colour = onPaper(s.colour);
    if (s.dots && !regret)
      traces.push({
        x: s.dots[state.axis],
        y: s.dots.y,
        text: s.dots.text,
        mode: "markers",
        marker: { color: colour, size: 5, opacity: 0.4 },
        legendgroup: s.name,
        showlegend: false,
        hovertemplate: "%{text}<extra></extra>",
      });
    if (!c) continue;
    if (s.searches > 1 && !regret) traces.push(band(stepped(c), `${colour}24`, s.name));
    traces.push({
      x: c.x,
      y: c.mean,
      name: s.name,
      legendgroup: s.name,
      mode: "lines",
      line: { color: colour, width: 2.2, shape: "hv" },
      hovertemplate: "%{x:.4~g}: %{y:.5~g}<extra></extra>",
    });
  }
  const vertical = regret ? { type: "log" } : { range: DATA.ranges[state.axis] };
  Plotly.react(
    "curve",
    traces,
    layout(
      axisStyle(DATA.axes[state.axis]),
      axisStyle(regret ? "Regret: optimum minus best so far" : DATA.measure, vertical),
      { showlegend: true, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 } },
    ),
    OPTIONS,
  );
  remember(state, DEFAULTS);
}

choose(state, "axis", DATA.names, drawCurve);
choose(
  state,
  "score",
  DATA.optimum === null ? { best: "Best" } : { best: "Best", regret: "Regret" },
  drawCurve,
);
themed(state, drawCurve);
drawCurve();
tabulate(state, () => remember(state, DEFAULTS))();
