"use strict";
// Sorts tables on a click of their heads, searches the tall ones, shows a mark's words at once, and says in the sidebar
// which section one is in. Nothing is fetched.
const CHUNK = 100; // rows of a tall table in one body, which the browser skips while it is out of sight

function key(row, column, number) {
  const words = row.cells[column].textContent.trim();
  if (!number) return words.toLowerCase();
  const found = parseFloat(words.replace(/,/g, "").replace("−", "-"));
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

// A number finds cells of that value, words find what holds them, name:value finds a column's cells of that value.
const plain = (words) => words.trim().toLowerCase();
const dashed = (head) => plain(head.textContent).replace(/\s+/g, "-");
const bare = (words) => plain(words).replace(/,/g, "").replace(/%$/, "");
const isNumber = (words) => words !== "" && !Number.isNaN(Number(words));
const same = (one, other) => plain(one) === plain(other) || (isNumber(bare(one)) && isNumber(bare(other)) && Number(bare(one)) === Number(bare(other)));

function terms(text, names) {
  return [...text.matchAll(/([^\s:"]+):(?:"([^"]*)"|(\S+))|(\S+)/g)].map(([all, name, quoted, value, word]) => {
    const column = name === undefined ? -1 : names.indexOf(plain(name));
    if (column >= 0) return (cells) => same(cells[column], quoted ?? value);
    const wanted = word ?? all;
    if (isNumber(bare(wanted))) return (cells) => cells.some((cell) => same(cell, wanted));
    return (cells) => cells.some((cell) => plain(cell).includes(plain(wanted)));
  });
}

// So few rows are laid out at once: a part of the table that is out of sight would keep the height of all its rows.
const FEW = 500;

function search(input) {
  const box = document.getElementById(input.dataset.search);
  const names = [...box.querySelectorAll("thead th")].map(dashed);
  const wanted = terms(input.value, names);
  let shown = 0;
  for (const row of box.querySelectorAll("tbody tr")) {
    const cells = [...row.cells].map((cell) => cell.textContent);
    row.hidden = !wanted.every((holds) => holds(cells));
    shown += !row.hidden;
  }
  box.classList.toggle("few", shown <= FEW);
  input.closest(".search").querySelector("output").textContent = wanted.length ? `${shown.toLocaleString("en")} rows` : "";
}

document.addEventListener("input", (event) => {
  if (event.target.matches("input[data-search]")) search(event.target);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-find]");
  const section = link && document.getElementById(link.getAttribute("href").slice(1));
  const input = section && section.querySelector("input[data-search]");
  if (!input) return;
  input.value = link.dataset.find; // a number of the first sentence: the rows behind it
  search(input);
  const heads = [...document.querySelectorAll(`#${input.dataset.search} thead th`)];
  const first = heads.findIndex((head) => !input.value.includes(`${dashed(head)}:"`)); // the seed, and then the value
  heads[Math.min(first + 1, heads.length - 1)].scrollIntoView({ block: "nearest", inline: "nearest" }); // on a phone
});

const menu = document.querySelector("nav details");
const wide = matchMedia("(min-width: 70rem)");
const places = [...document.querySelectorAll("nav a")].map((link) => [link, document.getElementById(link.hash.slice(1))]);

function where() {
  let here = places[0];
  for (const place of places) if (place[1] && place[1].getBoundingClientRect().top < innerHeight / 3) here = place;
  if (innerHeight + scrollY >= document.documentElement.scrollHeight - 4) here = places[places.length - 1];
  if (here[0].hasAttribute("aria-current")) return;
  for (const [link] of places) link.removeAttribute("aria-current");
  here[0].setAttribute("aria-current", "true");
  menu.querySelector("summary span").textContent = `: ${here[0].textContent}`;
  if (wide.matches) here[0].scrollIntoView({ block: "nearest" });
}

let asked = false;
addEventListener("scroll", () => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    where();
  });
}, { passive: true });
wide.addEventListener("change", () => (menu.open = wide.matches));
menu.open = wide.matches;
menu.addEventListener("click", (event) => {
  if (event.target.closest("a") && !wide.matches) menu.open = false;
});
where();

const folded = [];
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("main details:not([open])")) folded.push(each), (each.open = true);
});
addEventListener("afterprint", () => {
  for (const each of folded.splice(0)) each.open = false;
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
