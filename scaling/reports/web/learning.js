// Learning curves of the selected runs, or of all that are shown; and what both plots tell each other.
function drawLearning(colours) {
  const found = DATA.curves.filter(
    (c) => c.lines[state.metric] && isShown(c.id) && !isFaint(c.id) && !off.has(groupOf(c.id)),
  );
  const shades = found.map((c) => shadeOf(c, colours));
  const traces = found.map((c, i) => ({
    ...c.lines[state.metric],
    name: c.name,
    mode: "lines",
    line: { color: shades[i], width: 1.6 },
    meta: c.id,
    text: c.name.replaceAll("<", "&lt;"), // a hover reads tags
    hovertemplate: "%{text}<br>epoch %{x:.4~g}: %{y:.4~g}<extra></extra>",
  }));
  Plotly.react("learning", traces, layout(axisStyle("epoch"), axisStyle(state.metric)), OPTIONS);
  const few = found.length <= 14 ? found : [];
  document.getElementById("learners").replaceChildren(
    ...few.map((c, i) => {
      const dot = element("span", { class: "dot" });
      dot.style.background = shades[i];
      return element("li", {}, dot, c.name);
    }),
  );
}

// The colour of the run's group, paler for smaller networks.
function shadeOf(curve, colours) {
  const colour = colours.get(groupOf(curve.id)) ?? onPaper(DATA.none);
  return mixed(colour, isDark() ? "#000000" : "#ffffff", 0.6 * (1 - curve.depth));
}

function highlight(id) {
  const traces = document.getElementById("learning").data ?? [];
  if (!traces.length || (id && !traces.some((t) => t.meta === id))) return;
  Plotly.restyle("learning", { opacity: traces.map((t) => (!id || t.meta === id ? 1 : 0.15)) });
}

// A click on a point selects its run; hovering it brings out its learning curve.
function listen() {
  const [curve, learning] = ["curve", "learning"].map((id) => document.getElementById(id));
  if (DATA.series.length)
    curve.on("plotly_click", (event) => {
      const id = event.points[0].customdata;
      if (id) select([id], !selected.has(id));
    });
  if (!DATA.curves.length) return;
  if (DATA.series.length) {
    curve.on("plotly_hover", (event) => highlight(event.points[0].customdata));
    curve.on("plotly_unhover", () => highlight(null));
  }
  learning.on("plotly_hover", (event) => highlight(event.points[0].data.meta));
  learning.on("plotly_unhover", () => highlight(null));
}
