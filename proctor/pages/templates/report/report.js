"use strict";
// Nothing here is needed to read the report: tables can be sorted, students found and filtered.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// On a Jupyter server, which shows files below /files/, Formgrader and the written answers are a click
// away; in a file they are not.
const [server, isFile] = location.pathname.split("/files/");
if (location.protocol.startsWith("http") && isFile !== undefined) {
  for (const one of all(".on-server, .in-file")) one.hidden = !one.hidden;
  for (const one of all("[data-server]")) one.href = `${server}/${one.dataset.server}`;
  for (const one of all("[data-formgrader]")) {
    const name = (one.closest("tr")?.cells[0] ?? one.closest("li").firstElementChild).textContent;
    const link = document.createElement("a");
    link.href = `${server}/formgrader/submissions/${encodeURIComponent(one.dataset.formgrader)}/`;
    link.textContent = "Formgrader";
    link.setAttribute("aria-label", `Formgrader: ${name}`);
    one.append(" ", link);
  }
}

const value = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.value ?? cell.textContent.trim();
};
const compare = (one, other) => {
  const numbers = [Number(one), Number(other)];
  if (one !== "" && other !== "" && !numbers.some(Number.isNaN)) return numbers[0] - numbers[1];
  return one.localeCompare(other, undefined, { numeric: true });
};
for (const table of all("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    if (header.dataset.sort === "no") return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.replaceChildren(button);
    button.addEventListener("click", () => {
      const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
      rows.sort((one, other) => direction * compare(one[0], other[0]));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}

const form = document.getElementById("find");
if (form) {
  const rows = all("table.students tbody tr");
  const { name, tag, exercise } = form.elements;
  const show = () => {
    const wanted = name.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      const lost = exercise.value === "" || Number(row.cells[exercise.value].dataset.value) < 1;
      const fits =
        row.cells[0].textContent.toLowerCase().includes(wanted) &&
        (tag.value === "" || row.dataset.tags.split(" ").includes(tag.value)) &&
        (lost && (exercise.value === "" || row.cells[exercise.value].dataset.value !== ""));
      row.hidden = !fits;
      count += fits;
    }
    form.querySelector("output").textContent = `${count} of ${rows.length} shown`;
  };
  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  // A link to a student must lead somewhere, whatever the filters hide.
  addEventListener("hashchange", () => {
    const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!row || !row.hidden) return;
    form.reset();
    show();
    row.scrollIntoView({ block: "center" });
  });
  show();
}

// A link into something folded opens it.
const unfold = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target?.closest("details");
  if (folded && !folded.open) {
    folded.open = true;
    target.scrollIntoView();
  }
};
addEventListener("hashchange", unfold);
unfold();
