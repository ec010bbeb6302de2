"use strict";
// Sorts the rows of a table by the column whose heading is pressed; pressed again, the other way.
const exact = (cell) => cell.dataset.value ?? cell.dataset.low;
const compare = (one, other) => {
  const [left, right] = [exact(one), exact(other)];
  if (left === undefined || right === undefined) {
    return one.textContent.localeCompare(other.textContent, "en", { numeric: true });
  }
  const figure = (text) => (text === "null" ? -Infinity : Number(text));
  return figure(left) - figure(right) || 0;
};
const sort = (heading) => {
  const table = heading.closest("table");
  const place = heading.cellIndex;
  const before = heading.getAttribute("aria-sort");
  const figures = heading.classList.contains("figure");
  const down = before ? before === "ascending" : figures;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows];
  rows.sort((one, other) => compare(one.cells[place], other.cells[place]) * (down ? -1 : 1));
  table.tBodies[0].append(...rows);
};
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sort(button.closest("th")));
}

// Copies the command beside the button; where the browser forbids that, the command is selected.
const copy = async (button) => {
  const command = button.parentElement.querySelector("code");
  getSelection().selectAllChildren(command);
  try {
    await navigator.clipboard.writeText(command.textContent);
  } catch {
    document.execCommand("copy");
  }
  button.textContent = "copied";
};
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
