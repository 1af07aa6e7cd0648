// How many calls are due, asked every half minute while somebody looks at the page.
const shown = document.getElementById("due-now");

async function ask() {
  if (document.hidden) return;
  const answer = await fetch(shown.dataset.url, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const { text } = await answer.json();
  if (shown.textContent !== text) shown.textContent = text;
}

if (shown) setInterval(() => ask().catch(() => {}), Number(shown.dataset.every || 30_000));
