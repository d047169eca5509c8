// Selected runs side by side: where their settings and results differ.
const MOST_COMPARED = 4;

function compare() {
  const ids = [...selected].slice(0, MOST_COMPARED);
  const box = document.getElementById("comparison");
  if (ids.length < 2) {
    box.replaceChildren(
      element("p", { class: "note" }, "Select two runs, or up to four, in the table or the plot."),
    );
    return;
  }
  const texts = (head) => ids.map((id) => cellOf(id, head).textContent.trim());
  const names = heads.slice(1).filter((head) => new Set(texts(head)).size > 1);
  const top = element("tr", {}, element("td", {}), ...ids.map((id) => element("th", { scope: "col" }, id)));
  const lines = names.map((head) =>
    element(
      "tr",
      { class: DATA.keys.includes(head) ? "key" : "" },
      element("th", { scope: "row" }, head),
      ...texts(head).map((text) => element("td", {}, text)),
    ),
  );
  const made = element(
    "table",
    { class: "still" },
    element("thead", {}, top),
    element("tbody", {}, ...lines),
  );
  box.replaceChildren(made);
}
