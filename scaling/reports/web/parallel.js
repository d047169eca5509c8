// Parallel coordinates: a line a run, an upright axis each setting that differs, the last the score.
const PLACE = { top: 34, height: 220, apart: 130, left: 70 };

function svg(name, attributes, ...inside) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

function drawParallel(colours) {
  const section = document.getElementById("settings");
  if (DATA.keys.length < 3) return;
  section.hidden = false;
  const points = shownPoints();
  const axes = [...DATA.keys, DATA.column].map((head) => parallelAxis(head, points));
  const across = (i) => PLACE.left + i * PLACE.apart;
  const drawn = [...points].sort((a, b) => isFaint(b.id) - isFaint(a.id)); // what is selected lies on top
  const paths = drawn.map((r) =>
    svg(
      "path",
      {
        d: axes.map((axis, i) => `${i ? "L" : "M"}${across(i)} ${axis.place(r.id)}`).join(""),
        stroke: colours.get(groupOf(r.id)),
        class: isFaint(r.id) ? "run faint" : "run",
      },
      svg("title", {}, cellOf(r.id, heads[0]).textContent.trim()),
    ),
  );
  const width = PLACE.left * 2 + (axes.length - 1) * PLACE.apart,
    size = {
      width,
      height: PLACE.top + PLACE.height + 20,
      role: "img",
      "aria-label": "Settings of the runs shown",
    };
  document
    .getElementById("parallel")
    .replaceChildren(svg("svg", size, ...paths, ...axes.map((axis, i) => axis.drawn(across(i)))));
}

// An axis of numbers, or of values one beside the other; what is missing stands at its foot.
function parallelAxis(head, points) {
  const values = points.map((r) => cellValue(cellOf(r.id, head)));
  const known = [...new Set(values.filter((v) => v !== null))].sort(compared);
  const numbers = known.length > 0 && known.every((v) => typeof v === "number"),
    low = known[0],
    high = known.at(-1),
    log = numbers && low > 0 && high / low > 50;
  const scale = (v) => (log ? Math.log(v) : v);
  const share = (v) => {
    if (!numbers) return known.length < 2 ? 0.5 : known.indexOf(v) / (known.length - 1);
    return high === low ? 0.5 : (scale(v) - scale(low)) / (scale(high) - scale(low));
  };
  const down = (v) => PLACE.top + PLACE.height * (v === null ? 1.05 : 1 - share(v));
  const marks = numbers ? [...new Set([low, high])] : known.length <= 8 ? known : [low, high];
  const short = (text) => (text.length > 17 ? `${text.slice(0, 16)}…` : text);
  return {
    place: (id) => down(cellValue(cellOf(id, head))).toFixed(1),
    drawn: (x) =>
      svg(
        "g",
        {},
        svg("line", { x1: x, x2: x, y1: PLACE.top, y2: PLACE.top + PLACE.height }),
        svg("text", { x, y: 16, class: "head" }, short(head.split(".").at(-1)), svg("title", {}, head)),
        ...marks.map((v) =>
          svg("text", { x: x + 6, y: down(v) + 4 }, short(numbers ? String(+v.toPrecision(4)) : v)),
        ),
      ),
  };
}
