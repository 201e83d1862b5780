// What every story needs: a headless Chromium, steps that are counted, and axe.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../webui/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** shots: where a picture of a failed step goes, without its number; timeout in ms. */
export async function driver({ shots, timeout }) {
  const complaints = [];
  let passed = 0;
  let failed = 0;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--disable-dev-shm-usage"],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 860 } });
  const page = await context.newPage();
  page.setDefaultTimeout(timeout);
  page.on("console", (m) => {
    // A refused sign-in is a 401 that the page handles; the browser logs it all the same.
    if (m.type() === "error" && !/status of 4(0[1349]|22)/.test(m.text())) complaints.push(m.text());
  });
  page.on("pageerror", (e) => complaints.push(`page error ${e}`));

  /** Counts and prints; what the page complained of meanwhile fails the step. */
  async function step(name, fn) {
    try {
      await fn();
      if (complaints.length) throw new Error(complaints.splice(0).join("\n"));
      passed++;
      console.log(`ok   ${name}`);
    } catch (error) {
      failed++;
      complaints.length = 0;
      console.log(`FAIL ${name}\n     ${String(error.stack ?? error).replaceAll("\n", "\n     ")}`);
      await page.screenshot({ path: `${shots}-${failed}.png`, fullPage: true }).catch(() => {});
    }
  }

  function must(held, what) {
    if (!held) throw new Error(what);
  }

  /** Serious findings of axe on what is shown now. The driver's own script needs no CSP. */
  async function axe(where) {
    const cdp = await context.newCDPSession(page);
    await cdp.send("Page.setBypassCSP", { enabled: true });
    await cdp.send("Runtime.evaluate", { expression: axeSource });
    const { result } = await cdp.send("Runtime.evaluate", {
      expression: `axe.run({resultTypes:["violations"]}).then(r => JSON.stringify(r.violations
        .filter(v => v.impact === "serious" || v.impact === "critical")
        .map(v => v.id + ": " + v.nodes.slice(0, 3).map(n => n.html).join(" | "))))`,
      awaitPromise: true,
    });
    await cdp.detach();
    const found = JSON.parse(result.value);
    must(found.length === 0, `axe on ${where}: ${found.join("\n")}`);
  }

  /** Three themes, and the width of a small phone; pictures of each in `folder`. */
  async function look(name, folder) {
    for (const word of ["light", "dark", "contrast"]) {
      await page.getByLabel("Theme").selectOption(word);
      await axe(`${name}, ${word}`);
      await page.screenshot({ path: `${folder}/${name}-${word}.png`, fullPage: true });
    }
    await page.getByLabel("Theme").selectOption("light");
    await page.setViewportSize({ width: 360, height: 740 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    await page.screenshot({ path: `${folder}/${name}-phone.png`, fullPage: true });
    await page.setViewportSize({ width: 1280, height: 860 });
    must(wide <= 360, `${name}: ${wide} pixels wide on a phone`);
  }

  async function signIn(base, name, password) {
    await page.goto(base + "/");
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
  }

  /** Ends the browser and the process, with the sum. */
  async function finish() {
    await browser.close();
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed ? 1 : 0);
  }

  return { page, context, browser, complaints, step, must, axe, look, signIn, finish };
}
