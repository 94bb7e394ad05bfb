// Headings sort their table: by data-value where a cell has one, else by its text. Without scripts the page is complete.
"use strict";
for (const table of document.querySelectorAll("table")) {
  table.classList.add("sortable");
  table.querySelectorAll("th").forEach((heading, column) => {
    const button = document.createElement("button");
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const numbers = heading.classList.contains("number") || heading.classList.contains("bar");
      const now = heading.getAttribute("aria-sort");
      const up = now === "descending" || (now === null && !numbers);
      table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = table.tBodies[0];
      const order = (a, b) => numbers ? value(a) - value(b) : value(a).localeCompare(value(b));
      body.append(...[...body.rows].sort((a, b) => up ? order(a, b) : order(b, a)));
    });
  });
}
