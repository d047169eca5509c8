// What both pages share: this file and the script of a page are inlined as one.
"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const OPTIONS = {
  responsive: true,
  displaylogo: false,
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
};

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

function ticks(values, format) {
  const low = Math.min(...values) / 1.5,
    high = Math.max(...values) * 1.5,
    found = [];
  const steps = high / low > 1000 ? [1] : high / low > 3 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];
  for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++)
    for (const s of steps) {
      const t = s * 10 ** e;
      if (t >= low && t <= high) found.push(t);
    }
  return { type: "log", tickvals: found, ticktext: found.map(format) };
}

function axisStyle(title, more) {
  return Object.assign(
    {
      title: { text: title, standoff: 12 },
      gridcolor: "#e9ebef",
      zeroline: false,
      linecolor: "#98a0ad",
      automargin: true,
    },
    more,
  );
}

function layout(x, y, more) {
  return Object.assign(
    {
      font: { family: FONT, size: 13, color: "#1f2430" },
      margin: { l: 64, r: 12, t: 12, b: 56 },
      paper_bgcolor: "#fff",
      plot_bgcolor: "#fff",
      hovermode: "closest",
      xaxis: x,
      yaxis: y,
      hoverlabel: {
        bgcolor: "#fff",
        bordercolor: "#cfd4dc",
        align: "left",
        font: { family: FONT, size: 13, color: "#1f2430" },
      },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    },
    more,
  );
}

function choose(state, id, options, draw) {
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
      const value = (row) => {
        const v = row.cells[i].dataset.v;
        return v === undefined ? row.cells[i].textContent : +v;
      };
      const sign = up ? 1 : -1;
      const rows = [...body.rows].sort((a, b) => {
        const p = value(a),
          q = value(b);
        return sign * (typeof p === "number" ? p - q : p.localeCompare(q));
      });
      body.replaceChildren(...rows);
    };
  });
  document.getElementById("filter").oninput = (event) => {
    const text = event.target.value.toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(text);
  };
}
