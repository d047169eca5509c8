// The scaling curve: a trace a group, the laws, the front; the legend beneath it.
function drawCurve(colours) {
  const points = shownPoints().filter((r) => r.x[state.axis] && heightOf(r.error) > 0);
  const traces = DATA.series.flatMap((s) => lawTraces(s, points, colours));
  for (const [name, own] of Map.groupBy(points, (r) => groupOf(r.id)))
    traces.push(pointTrace(name, own, colours.get(name)));
  if (state.front === "on") traces.push(frontTrace(points));
  const label = state.score === "error" ? "Test error (%)" : `Test ${DATA.score} (%)`;
  const [x, y] = ranges(points);
  Plotly.react(
    "curve",
    traces,
    layout(
      axisStyle(DATA.axes[state.axis], x),
      axisStyle(label + (state.y === "log" ? ", log scale" : ""), y),
    ),
    OPTIONS,
  );
}

// What is drawn of an error, in percent.
function heightOf(error) {
  return state.score === "error" ? 100 * error : 100 * (1 - error);
}

function pointTrace(name, rows, colour) {
  return {
    x: rows.map((r) => r.x[state.axis]),
    y: rows.map((r) => heightOf(r.error)),
    text: rows.map((r) => r.hover),
    name,
    customdata: rows.map((r) => r.id),
    mode: "markers",
    hovertemplate: "%{text}<extra></extra>",
    marker: {
      color: colour,
      size: 10,
      opacity: rows.map((r) => (isFaint(r.id) ? 0.15 : 0.85)),
      line: { color: tone("paper"), width: 1.5 },
    },
    error_y: whiskers(rows, colour),
  };
}

// The interval of each run's score, as lengths above and below its point.
function whiskers(rows, colour) {
  const ends = rows.map((r) =>
    r.errors && !isFaint(r.id) ? r.errors.map(heightOf) : [heightOf(r.error), heightOf(r.error)],
  );
  return {
    type: "data",
    symmetric: false,
    array: rows.map((r, i) => Math.max(...ends[i]) - heightOf(r.error)),
    arrayminus: rows.map((r, i) => heightOf(r.error) - Math.min(...ends[i])),
    color: colour,
    thickness: 1,
    width: 0,
  };
}

// A law is of all runs of its curve: it is drawn where any of them is, grey where colours mean something else.
function lawTraces(series, points, colours) {
  const law = series.laws[state.axis],
    own = new Set(series.rows.map((r) => r.id));
  if (!law.x || !points.some((r) => own.has(r.id))) return [];
  const colour = state.colour ? onPaper(DATA.none) : colours.get(series.name);
  const common = { mode: "lines", hoverinfo: "skip" };
  const band = law.low.map(heightOf).concat(law.high.map(heightOf).reverse());
  return [
    {
      ...common,
      x: law.x.concat([...law.x].reverse()),
      y: band.map((v) => (state.y === "log" ? Math.max(v, 1e-3) : v)),
      fill: "toself",
      fillcolor: `${colour}1f`,
      line: { width: 0 },
    },
    { ...common, x: law.x, y: law.mid.map(heightOf), line: { color: colour, width: 2 } },
  ];
}

// The runs that no other beats at less cost, as a staircase of the best so far.
function frontTrace(points) {
  const found = [];
  const cost = (r) => r.x[state.axis];
  for (const r of [...points].sort((a, b) => cost(a) - cost(b) || a.error - b.error))
    if (!found.length || r.error < found.at(-1).error) found.push(r);
  return {
    x: found.map(cost),
    y: found.map((r) => heightOf(r.error)),
    name: "Pareto front",
    mode: "lines",
    line: { color: tone("ink"), width: 1.5, dash: "dot", shape: "hv" },
    hoverinfo: "skip",
  };
}

// The axes as set, around the runs and not around the far ends of a wide interval.
function ranges(points) {
  if (!points.length) return [{}, {}];
  const xs = points.map((r) => r.x[state.axis]),
    ys = points.map((r) => heightOf(r.error));
  const high = Math.max(...ys),
    low = Math.min(...ys),
    room = Math.max(0.15 * (high - low), 0.25),
    top = Math.max(...xs) * 1.05;
  return [
    state.x === "log"
      ? logarithmic(xs, 1.35, si)
      : { range: [-0.02 * top, top], tickformat: "~s", nticks: 8 },
    state.y === "log"
      ? logarithmic(ys, high / low > 1.5 ? 1.3 : 1.05, (t) => String(+t.toPrecision(3)))
      : { range: [Math.max(0, low - room), Math.min(100 + room / 10, high + room)] },
  ];
}

// A button a group, which takes it out; beside a curve its law, beside others how many runs and the best.
function drawLegend(colours) {
  const groups = Map.groupBy(
    DATA.series.flatMap((s) => s.rows).filter((r) => isShown(r.id)),
    (r) => groupOf(r.id),
  );
  const found = [...colours].filter(([name]) => groups.has(name));
  const items = found.map(([name, colour], i) => {
    const dot = element("span", { class: "dot" });
    dot.style.background = colour;
    const button = element("button", { type: "button", "aria-pressed": !off.has(name) }, dot, name);
    button.onclick = () => {
      if (!off.delete(name)) off.add(name);
      state.off = [...off].join("\n");
      redraw();
      document.querySelectorAll("#legend button")[i].focus(); // this one is replaced
    };
    return element("li", {}, button, ...(state.colour ? [summary(groups.get(name))] : lawWords(name)));
  });
  const legend = document.getElementById("legend");
  legend.classList.toggle("dense", state.colour !== "");
  legend.replaceChildren(...items);
}

function summary(rows) {
  const best = 100 * (1 - Math.min(...rows.map((r) => r.error)));
  return element("small", {}, `${rows.length} run${rows.length > 1 ? "s" : ""}, best ${best.toFixed(2)} %`);
}

function lawWords(name) {
  const law = DATA.series.find((s) => s.name === name).laws[state.axis];
  if (!law.x) return [element("small", {}, law.none)];
  return [` ${law.formula[0]}`, element("sup", {}, law.formula[1]), element("small", {}, law.basis)];
}
