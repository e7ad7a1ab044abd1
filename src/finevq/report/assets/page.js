// Sorting of the overview, and opening of a detail section when its link is followed.
(() => {
  const collator = new Intl.Collator(undefined, { numeric: true });
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y)
      ? x - y
      : collator.compare(a, b);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        const key = (row) => row.cells[column].dataset.value ?? "";
        const rows = [...body.rows];
        rows.sort((a, b) => {
          // Videos without a value stay at the end in both directions.
          if ((key(a) === "") !== (key(b) === "")) return key(a) === "" ? 1 : -1;
          return (down ? -1 : 1) * compare(key(a), key(b));
        });
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        body.append(...rows);
      });
    });
  }
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", open);
  document.addEventListener("click", (event) => {
    // The same link twice changes no hash.
    const link = event.target instanceof Element && event.target.closest('a[href^="#"]');
    if (link) setTimeout(open);
  });
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
  open();
})();
