// A table that is sorted by the buttons in its heads, filtered by terms, and saved as CSV.
const NONE = "–";
const PIECES = /(?<!\w)[-−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|\d+(?:\.\d+)?(?:e[-+]?\d+)?|\D/gi;

// What a cell is sorted by: a number, a text, or null where there is nothing.
function cellValue(cell) {
  const number = cell.dataset.v,
    text = cell.textContent.trim();
  if (number !== undefined) return number === "" ? null : +number;
  return text === "" || text === NONE ? null : text;
}

// Numbers before texts; those within texts by value: "φ=−2" comes before "φ=−1" and "b2" before "b10".
function compared(a, b) {
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  if (typeof a === "number") return a - b;
  const [p, q] = [a, b].map((text) => text.match(PIECES).map((one) => one.replace("−", "-")));
  for (let i = 0; i < Math.min(p.length, q.length); i++) {
    const numbers = /\d/.test(p[i]) && /\d/.test(q[i]),
      order = numbers ? p[i] - q[i] : p[i].localeCompare(q[i]);
    if (order) return order;
  }
  return p.length - q.length;
}

function sorted(lines, i, down) {
  return [...lines].sort((a, b) => {
    const [p, q] = [a, b].map((line) => cellValue(line.cells[i]));
    if (p === null || q === null) return (p === null) - (q === null); // missing ones last, either way
    return down ? compared(q, p) : compared(p, q);
  });
}

// Whether a line meets all terms: `key=value` (a head, or the end of one: "phi=1" for model.phi), else words.
function matcher(text, names) {
  const same = (s) => s.trim().toLowerCase().replaceAll("−", "-");
  const lower = names.map(same);
  const terms = (same(text).match(/(?:"[^"]*"|[^\s"])+/g) ?? []).map((term) => {
    const word = term.replaceAll('"', ""),
      [key, ...rest] = word.split("="),
      value = rest.join("=");
    const found = lower.flatMap((name, i) =>
      name && rest.length && (name === key || name.endsWith(`.${key}`)) ? [i] : [],
    );
    if (!found.length) return (line) => same(line.textContent).includes(word);
    const meets = (cell) =>
      same(cell.textContent) === value ||
      (value !== "" && cell.dataset.v && +cell.dataset.v === +value) ||
      (value === "" && cellValue(cell) === null);
    return (line) => found.some((i) => meets(line.cells[i]));
  });
  return (line) => terms.every((meets) => meets(line));
}

function csvOf(table) {
  const lines = [...table.tBodies[0].rows].filter((line) => !line.hidden);
  const heads = namesOf(table);
  const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const written = (line) =>
    heads.flatMap((name, i) => (name ? [quoted(String(cellValue(line.cells[i]) ?? ""))] : [])).join(",");
  return `${[heads.filter(Boolean).map(quoted).join(","), ...lines.map(written)].join("\n")}\n`;
}

function namesOf(table) {
  return [...table.tHead.rows[0].cells].map((head) => head.textContent.trim());
}

function save(text, name) {
  const link = element("a", {
    download: name,
    href: URL.createObjectURL(new Blob([text], { type: "text/csv" })),
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
}

// Make #runs follow `state.sort` and `state.filter`; `keeps` may leave lines out, `changed` hears of each change.
function tabulate(state, changed, keeps = () => true) {
  const table = document.getElementById("runs"),
    body = table.tBodies[0],
    filter = document.getElementById("filter"),
    names = namesOf(table),
    heads = [...table.tHead.rows[0].cells];

  const sort = () => {
    const [, name, down] = /^(.*):(up|down)$/.exec(state.sort) ?? [],
      i = names.indexOf(name);
    heads.forEach((head, j) => {
      if (names[j])
        head.setAttribute("aria-sort", j !== i ? "none" : down === "down" ? "descending" : "ascending");
    });
    if (i >= 0) body.replaceChildren(...sorted(body.rows, i, down === "down"));
  };
  const show = () => {
    const meets = matcher(state.filter, names);
    for (const line of body.rows) line.hidden = !(keeps(line) && meets(line));
    const count = [...body.rows].filter((line) => !line.hidden).length;
    document.getElementById("count").textContent = `${count} of ${body.rows.length} shown`;
    changed();
  };
  heads.forEach((head, i) => {
    if (!names[i]) return;
    const button = element("button", { type: "button", class: "sort" }, names[i]);
    button.onclick = () => {
      state.sort = `${names[i]}:${state.sort === `${names[i]}:up` ? "down" : "up"}`;
      sort();
      changed();
    };
    head.replaceChildren(button);
  });
  filter.value = state.filter;
  filter.oninput = () => {
    state.filter = filter.value;
    show();
  };
  document.getElementById("csv").onclick = () => {
    const title = document.querySelector("h1").textContent;
    save(csvOf(table), `${title.replace(/[^\w-]+/g, "_")}.csv`);
  };
  sort();
  return show;
}
