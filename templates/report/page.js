"use strict";
// Everything is on the page without this script; it adds sorting, tooltips, copying, and one design at a time.
document.documentElement.classList.add("js");
for (const table of document.querySelectorAll("table")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(table, head, column));
  });
}

function sort(table, head, column) {
  const down = head.getAttribute("aria-sort") === "ascending";
  table.querySelectorAll("thead th").forEach((each) => each.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compare(key(a.cells[column]), key(b.cells[column]), down));
  table.tBodies[0].append(...rows);
}

function key(cell) {
  const value = cell.dataset.sort;
  return value ? Number(value) : cell.textContent.trim();
}

// Numbers first, then texts; what is not there stays last in both directions.
function compare(a, b, down) {
  if ((a === "-") !== (b === "-")) return a === "-" ? 1 : -1;
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
  return down ? -order : order;
}

const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);
for (const mark of document.querySelectorAll("[data-tip]")) {
  mark.querySelector("title")?.remove();
  for (const event of ["pointerenter", "focus"]) mark.addEventListener(event, () => show(mark));
  for (const event of ["pointerleave", "blur"]) mark.addEventListener(event, () => { tip.hidden = true; });
}

function show(mark) {
  tip.textContent = mark.dataset.tip;
  tip.hidden = false;
  const at = mark.getBoundingClientRect(), own = tip.getBoundingClientRect();
  const left = at.left + at.width / 2 - own.width / 2;
  tip.style.left = `${Math.max(6, Math.min(left, document.documentElement.clientWidth - own.width - 6))}px`;
  tip.style.top = `${Math.max(6, at.top - own.height - 2)}px`;
}

for (const line of document.querySelectorAll(".command")) {
  const button = document.createElement("button"), text = line.querySelector("code").textContent;
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${text}`);
  button.addEventListener("click", async () => {
    button.textContent = await copied(text, line.querySelector("code")) ? "Copied" : "Selected";
  });
  line.append(button);
}

// Where the clipboard is not to be had, as in a frame, the text is selected, to be copied by hand.
async function copied(text, code) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return false;
  }
}

const details = [...document.querySelectorAll(".detail")], choose = document.getElementById("choose");
const rows = [...document.querySelectorAll("tr[data-design]")], dots = [...document.querySelectorAll(".dot")];
choose.parentElement.hidden = false;
choose.addEventListener("change", () => select(Number(choose.value)));
for (const row of rows) {
  row.addEventListener("click", (event) => {
    if (event.target.closest("a")) event.preventDefault();
    select(Number(row.dataset.design));
  });
}

function select(number, told = true) {
  for (const each of details) each.classList.toggle("shown", Number(each.dataset.design) === number);
  for (const row of rows) {
    const chosen = Number(row.dataset.design) === number;
    row.classList.toggle("selected", chosen);
    if (chosen) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
    const around = chosen && row.closest(".tall");
    if (around) around.scrollTop = row.offsetTop - around.clientHeight / 2;
  }
  for (const dot of dots) {
    const chosen = Number(dot.dataset.design) === number;
    dot.setAttribute("aria-checked", String(chosen));
    dot.tabIndex = chosen ? 0 : -1;
    if (chosen) dot.parentElement.append(dot);
  }
  choose.value = String(number);
  if (told) document.getElementById("said").textContent = `Shown: ${choose.selectedOptions[0].textContent}`;
}
select(Number(choose.value), false);
