// Opens a page in Chromium, uses it as scenarios say, and prints as JSON what was seen in each.
//
//   node browser.mjs SCENARIO,SCENARIO ADDRESS CHROMIUM, with the modules in the folder BROWSER_MODULES
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [named, address, executablePath] = process.argv.slice(2);
const require = createRequire(`${process.env.BROWSER_MODULES}/`);
const { chromium } = require("playwright-core");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
let seen;

async function open(width, colorScheme, hash = "") {
  const tab = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  tab.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.problems.push(message.text());
  });
  tab.on("pageerror", (error) => seen.problems.push(error.message));
  tab.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) seen.requests.push(request.url());
  });
  await tab.goto(`${address}${hash}`);
  return tab;
}

const shown = (tab) => tab.locator("#runs tbody tr:not([hidden])");
const column = (tab, head) =>
  tab.evaluate((name) => {
    const table = document.getElementById("runs");
    const i = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === name);
    const lines = [...table.tBodies[0].rows].filter((line) => !line.hidden);
    return lines.map((line) => line.cells[i].textContent.trim());
  }, head);
const points = (tab) =>
  tab.evaluate(() =>
    document.getElementById("curve").data.flatMap((trace) => trace.customdata ?? []),
  );

// The page as it opens, wide and narrow: how long that takes, how far it reaches to the right, what it says.
async function open_() {
  for (const width of [1200, 420]) {
    const started = performance.now();
    const tab = await open(width, "light");
    await tab.evaluate(() => new Promise(requestAnimationFrame));
    seen.opened = Math.max(seen.opened ?? 0, performance.now() - started);
    seen[`right_${width}`] = await tab.evaluate(() => document.documentElement.scrollWidth);
    seen.title = await tab.title();
    seen.text = await tab.evaluate(() => document.body.innerText);
    await tab.close();
  }
}

// What axe finds in the light page, and of the dark one's colours.
async function audit() {
  const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
  seen.serious = [];
  for (const [scheme, options] of [["light", {}], ["dark", { runOnly: ["color-contrast"] }]]) {
    const tab = await open(1200, scheme);
    await tab.evaluate(axe);
    const { violations } = await tab.evaluate((wanted) => window.axe.run(wanted), options);
    for (const { id, impact, nodes } of violations)
      if (["serious", "critical"].includes(impact)) seen.serious.push(`${id}: ${nodes[0].html}`);
    await tab.close();
  }
}

async function filter() {
  const tab = await open(1200, "light");
  seen.all = await shown(tab).count();
  await tab.fill("#filter", "phi=-1 seed=0");
  const phis = await column(tab, "model.phi");
  seen.filtered = { count: await shown(tab).count(), phis, points: await points(tab) };
  seen.said = await tab.textContent("#count");
  await tab.fill("#filter", "status=failed");
  seen.failed = await shown(tab).count();
  await tab.fill("#filter", "φ=−2 resnet");
  seen.words = await column(tab, "Size");
  const again = await open(1200, "light", new URL(tab.url()).hash);
  seen.again = [await shown(again).count(), await again.inputValue("#filter")];
}

async function sort() {
  const tab = await open(1200, "light");
  const head = tab.locator("#runs th", { hasText: /^Size/ });
  await head.locator("button").focus();
  await tab.keyboard.press("Enter");
  seen.up = [await head.getAttribute("aria-sort"), await column(tab, "Size")];
  await tab.keyboard.press("Space");
  seen.down = [await head.getAttribute("aria-sort"), await column(tab, "Size")];
  const test = tab.locator("#runs th", { hasText: /^Test top-1/ }).locator("button");
  await test.click();
  seen.scores_up = await column(tab, "Test top-1 %");
  await test.click();
  seen.scores_down = await column(tab, "Test top-1 %");
}

async function sortSearch() {
  const tab = await open(1200, "light");
  await tab.locator("#runs th button", { hasText: /^cost/ }).press("Enter");
  seen.up = await column(tab, "cost");
}

async function select() {
  const tab = await open(1200, "light");
  const boxes = tab.locator("#runs tbody input");
  seen.before = await points(tab);
  await boxes.nth(0).check();
  await boxes.nth(2).check();
  seen.chosen = (await column(tab, "Run")).filter((_, i) => i === 0 || i === 2);
  seen.compared = await tab.locator("#comparison tbody th").allTextContents();
  seen.curves = await tab.evaluate(() => document.getElementById("learning").data.map((trace) => trace.meta));
  await tab.click("#only");
  seen.only = await points(tab);
  const again = await open(1200, "light", new URL(tab.url()).hash);
  seen.again = await points(again);
  await tab.click("#unhide");
  seen.after = await points(tab);
  const dots = tab.locator("#curve .points path");
  await dots.nth(0).scrollIntoViewIfNeeded();
  const box = await dots.nth(0).boundingBox();
  await tab.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  seen.hovered = await tab.locator("#curve .hoverlayer").textContent();
  await tab.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  seen.clicked = await tab.locator("#runs tbody input:checked").count();
  const [picture] = await Promise.all([
    tab.waitForEvent("download"),
    tab.locator("#curve .modebar-btn").first().click(),
  ]);
  seen.picture = picture.suggestedFilename();
}

async function draw() {
  const tab = await open(1200, "light");
  const plot = (what) => tab.evaluate(what);
  seen.log = await plot(() => document.getElementById("curve").layout.xaxis.type);
  await tab.click("#x [value=linear]");
  seen.linear = await plot(() => document.getElementById("curve").layout.xaxis.type ?? "linear");
  await tab.click("#front [value=on]");
  const front = () => document.getElementById("curve").data.find((t) => t.name === "Pareto front").y;
  seen.front = await plot(front);
  await tab.selectOption("#colour", "model.phi");
  seen.groups = await tab.locator("#legend button").allTextContents();
  const all = (await points(tab)).length;
  await tab.locator("#legend button").first().press("Enter");
  seen.without = [all, (await points(tab)).length];
  const paper = () => plot(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await tab.click("#theme [value=dark]");
  const plotted = () => document.getElementById("curve").layout.paper_bgcolor;
  seen.theme = [light, await paper(), await plot(plotted)];
  seen.parallel = await tab.locator("#parallel path.run").count();
}

async function csv() {
  const tab = await open(1200, "light");
  await tab.fill("#filter", "seed=1");
  const [download] = await Promise.all([tab.waitForEvent("download"), tab.click("#csv")]);
  seen.name = download.suggestedFilename();
  seen.csv = readFileSync(await download.path(), "utf8");
  seen.runs = await column(tab, "Run");
}

// A served page, of which the rows change once: what was seen of it before, after, and some questions later.
async function refresh() {
  const tab = await open(1200, "light", "#filter=seed%3D0&theme=dark");
  const look = async () => [await tab.textContent("#count"), await tab.inputValue("#filter"), new URL(tab.url()).hash];
  seen.before = await look();
  await tab.focus("#filter");
  await tab.waitForEvent("load");
  seen.after = await look();
  seen.focused = await tab.evaluate(() => document.activeElement.id);
  const asked = () => tab.waitForResponse((answer) => answer.url().endsWith("/stamp"));
  await asked();
  await asked();
  seen.later = await look();
}

const scenarios = { open: open_, audit, filter, sort, sortSearch, select, draw, csv, refresh };
const told = {};
for (const name of named.split(",")) {
  told[name] = seen = { problems: [], requests: [] };
  await scenarios[name]().catch((error) => seen.problems.push(String(error)));
}
await browser.close();
console.log(JSON.stringify(told));
