"use strict";
// Sorts tables on a click of their heads, searches the tall ones, shows a mark's words at once. Nothing is fetched.
const CHUNK = 100; // rows of a tall table in one body, which the browser skips while it is out of sight

function key(row, column, number) {
  const words = row.cells[column].textContent.trim();
  if (!number) return words.toLowerCase();
  const found = parseFloat(words.replace(/,/g, ""));
  return Number.isNaN(found) ? null : found;
}

function sortBy(table, column, head) {
  const down = head.getAttribute("aria-sort") === "ascending";
  const number = head.classList.contains("number");
  const rows = [...table.querySelectorAll("tbody tr")].map((row) => [key(row, column, number), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // what is missing stands last, either way
    const order = number ? a - b : a.localeCompare(b);
    return down ? -order : order;
  });
  const bodies = [...table.tBodies];
  const size = bodies.length > 1 ? CHUNK : rows.length;
  bodies.forEach((body, index) => body.replaceChildren(...rows.slice(index * size, (index + 1) * size).map(([, row]) => row)));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("th button");
  if (!button) return;
  const head = button.parentElement;
  sortBy(head.closest("table"), head.cellIndex, head);
});

document.addEventListener("input", (event) => {
  if (!event.target.matches("input[data-search]")) return;
  const box = document.getElementById(event.target.dataset.search);
  const wanted = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of box.querySelectorAll("tbody tr")) {
    const words = row.textContent.toLowerCase();
    row.hidden = !wanted.every((word) => words.includes(word));
    shown += !row.hidden;
  }
  event.target.closest(".search").querySelector("output").textContent = wanted.length ? `${shown.toLocaleString("en")} rows` : "";
});

const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
document.body.append(tip);

document.addEventListener("pointerover", (event) => {
  const mark = event.target.closest("svg .mark");
  if (!mark) {
    tip.hidden = true;
    return;
  }
  const title = mark.querySelector("title");
  if (title) {
    mark.dataset.words = title.textContent; // the browser's own comes late and would stand beside ours
    title.remove();
  }
  if (!mark.dataset.words) return;
  tip.textContent = mark.dataset.words;
  tip.hidden = false;
  const box = mark.getBoundingClientRect();
  const left = Math.min(Math.max(8, box.left + box.width / 2 - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 8);
  const above = box.top - tip.offsetHeight - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 4 ? above : box.bottom + 8}px`;
});
