// The page of a study: which of its runs are shown, selected and coloured how; what is drawn follows.
const DEFAULTS = {
  axis: Object.keys(DATA.axes)[0],
  score: "accuracy",
  x: "log",
  y: "linear",
  front: "off",
  colour: "",
  off: "",
  metric: DATA.metrics[0] ?? "",
  filter: "",
  sort: "",
  select: "",
  hide: "",
  theme: "auto",
};
const SERIES = "Network"; // the column by which runs are coloured at first
const state = recalled(DEFAULTS);
const table = document.getElementById("runs");
const lines = new Map(
  [...table.tBodies[0].rows].map((line) => [line.querySelector("code").textContent, line]),
);
const heads = namesOf(table);
const selected = new Set(state.select.split(",").filter((id) => lines.has(id)));
const hidden = new Set(state.hide.split(",").filter((id) => lines.has(id)));
const off = new Set(state.off.split("\n").filter(Boolean)); // groups that are not shown

const cellOf = (id, head) => lines.get(id).cells[heads.indexOf(head) + 1]; // beside the box of each line
const isShown = (id) => !lines.get(id).hidden;
const isFaint = (id) => selected.size > 0 && !selected.has(id);
const shownPoints = () =>
  DATA.series.flatMap((s) => s.rows).filter((r) => isShown(r.id) && !off.has(groupOf(r.id)));

function groupOf(id) {
  return cellOf(id, state.colour || SERIES).textContent.trim();
}

// The colour of every group: a curve's own, of numbers a scale, of other values one after the other.
function groupColours() {
  if (!state.colour) return new Map(DATA.series.map((s) => [s.name, onPaper(s.colour)]));
  const cells = new Map([...lines.keys()].map((id) => [groupOf(id), cellOf(id, state.colour)]));
  const values = [...cells].map(([name, cell]) => [name, cellValue(cell)]);
  values.sort(([, a], [, b]) => (a === null || b === null ? (a === null) - (b === null) : compared(a, b)));
  const numbers = values.filter(([, value]) => typeof value === "number").length;
  return new Map(
    values.map(([name, value], i) => {
      if (value === null) return [name, onPaper(DATA.none)];
      if (numbers < 3 || typeof value !== "number")
        return [name, onPaper(DATA.colours[i % DATA.colours.length])];
      return [name, onPaper(onScale(i / (numbers - 1)))];
    }),
  );
}

function onScale(share) {
  const place = share * (DATA.scale.length - 1),
    i = Math.min(Math.floor(place), DATA.scale.length - 2);
  return mixed(DATA.scale[i], DATA.scale[i + 1], place - i);
}

// Everything that depends on which runs are shown, selected and coloured.
function redraw() {
  const colours = groupColours();
  if (DATA.series.length) {
    drawCurve(colours);
    drawLegend(colours);
    drawParallel(colours);
  }
  if (DATA.curves.length) drawLearning(colours);
  compare();
  mark();
  remember(state, DEFAULTS);
}

// The boxes of the table and what the buttons above it can do.
function mark() {
  for (const [id, line] of lines) {
    line.cells[0].firstChild.checked = selected.has(id);
    line.classList.toggle("selected", selected.has(id));
  }
  const shown = [...lines.keys()].filter(isShown),
    chosen = shown.filter((id) => selected.has(id)).length;
  const all = document.getElementById("all");
  all.checked = chosen > 0 && chosen === shown.length;
  all.indeterminate = chosen > 0 && chosen < shown.length;
  document.getElementById("hide").disabled = document.getElementById("only").disabled = !selected.size;
  document.getElementById("unhide").disabled = !hidden.size;
  document.getElementById("selected").textContent = selected.size ? `, ${selected.size} selected` : "";
}

function select(ids, on) {
  for (const id of ids) selected[on ? "add" : "delete"](id);
  state.select = [...selected].join(",");
  redraw();
}

function hide(ids) {
  for (const id of ids) hidden.add(id);
  selected.clear();
  state.select = "";
  unveil();
}

function unveil() {
  state.hide = [...hidden].join(",");
  show();
}

for (const [id, line] of lines) {
  const box = element("input", { type: "checkbox", "aria-label": `Select run ${id}` });
  box.onchange = () => select([id], box.checked);
  line.insertCell(0).append(box);
}
const all = element("input", { type: "checkbox", id: "all", "aria-label": "Select all runs shown" });
all.onchange = () => select([...lines.keys()].filter(isShown), all.checked);
table.tHead.rows[0].prepend(element("td", {}, all));

document.getElementById("hide").onclick = () => hide([...selected]);
document.getElementById("only").onclick = () => hide([...lines.keys()].filter((id) => !selected.has(id)));
document.getElementById("unhide").onclick = () => {
  hidden.clear();
  unveil();
};

const colour = document.getElementById("colour");
for (const key of DATA.keys) colour.append(element("option", { value: key }, key));
if (!DATA.keys.includes(state.colour)) state.colour = "";
colour.value = state.colour;
colour.onchange = () => {
  state.colour = colour.value;
  off.clear();
  state.off = "";
  redraw();
};

if (DATA.series.length) {
  choose(state, "axis", DATA.names, redraw);
  choose(
    state,
    "score",
    { accuracy: DATA.score[0].toUpperCase() + DATA.score.slice(1), error: "Error" },
    () => {
      state.y = state.score === "error" ? "log" : "linear";
      press(state, "y");
      redraw();
    },
  );
  choose(state, "x", { log: "x log", linear: "x linear" }, redraw);
  choose(state, "y", { linear: "y linear", log: "y log" }, redraw);
  choose(state, "front", { off: "No front", on: "Pareto front" }, redraw);
}
choose(state, "metric", Object.fromEntries(DATA.metrics.map((m) => [m, m])), redraw);
themed(state, redraw);
const show = tabulate(state, redraw, (line) => !hidden.has(line.querySelector("code").textContent));
show();
listen();
