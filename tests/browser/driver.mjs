// What every story needs: a headless Chromium, steps that are counted, and axe.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../webui/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** How long anything may take: a busy machine is slow, and what does not come at all is told all
 * the same. */
const TIMEOUT_MS = 60000;

/** Tests stop and start the name servers below the browser: the appliance's name is not asked for. */
const APPLIANCE = "MAP mail.home.example 127.0.0.10";

/** It is not what is tested here: one that does not come up is tried again, and says why. */
async function launch(tries = 3) {
  try {
    return await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", `--host-resolver-rules=${APPLIANCE}`],
      timeout: 2 * TIMEOUT_MS,
    });
  } catch (error) {
    console.log(String(error.stack ?? error));
    if (tries > 1) return launch(tries - 1);
    const [first, ...rest] = String(error.message ?? error).split("\n");
    const said = rest.filter((line) => /\[(?:out|err)\]|did exit/.test(line)).slice(-3);
    console.log(`FAIL to start Chromium: ${[first, ...said].join(" | ")}`);
    return process.exit(1);
  }
}

/** shots: where a picture of a failed step goes, without its number. */
export async function driver({ shots }) {
  const complaints = [];
  let passed = 0;
  let failed = 0;
  const browser = await launch();
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 860 } });
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
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
      for (const words of complaints.splice(0)) console.log(`     the page complained: ${words}`);
      // Its first words again, in the line that a run repeats at its end.
      const words = String(error.message ?? error).trim().split("\n").slice(0, 4).map((s) => s.trim());
      console.log(`     ${String(error.stack ?? error).replaceAll("\n", "\n     ")}`);
      console.log(`FAIL ${name}: ${words.join(" | ")}`);
      await page.screenshot({ path: `${shots}-${failed}.png`, fullPage: true }).catch(() => {});
    }
  }

  function must(held, what) {
    if (!held) throw new Error(what);
  }

  /** What the page does a moment later, as it moves the focus when it has drawn. */
  async function until(question, what) {
    const end = Date.now() + TIMEOUT_MS;
    while (!(await question())) {
      if (Date.now() > end) throw new Error(`${typeof what === "string" ? what : await what()}: not in time`);
      await new Promise((r) => setTimeout(r, 100));
    }
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

  /** Three themes, and the width of a small phone, with wide letters too; pictures of each in `folder`. */
  async function look(name, folder) {
    for (const word of ["light", "dark", "contrast"]) {
      await page.getByLabel("Theme").selectOption(word);
      await axe(`${name}, ${word}`);
      await page.screenshot({ path: `${folder}/${name}-${word}.png`, fullPage: true });
    }
    await page.getByLabel("Theme").selectOption("light");
    await page.setViewportSize({ width: 360, height: 740 });
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    const wide = await width();
    await page.screenshot({ path: `${folder}/${name}-phone.png`, fullPage: true });
    // Letters as far apart as WCAG 2.2 1.4.12 has them: wider than those of any usual font.
    await page.evaluate(() => Object.assign(document.body.style, { letterSpacing: ".12em", wordSpacing: ".16em" }));
    const spaced = await width();
    await page.screenshot({ path: `${folder}/${name}-spaced.png`, fullPage: true });
    await page.evaluate(() => Object.assign(document.body.style, { letterSpacing: "", wordSpacing: "" }));
    await page.setViewportSize({ width: 1280, height: 860 });
    must(wide <= 360, `${name}: ${wide} pixels wide on a phone`);
    must(spaced <= 360, `${name}: ${spaced} pixels wide on a phone with wide letters`);
  }

  /** A step like others: what kept somebody out is told, with a picture. */
  async function signIn(base, name, password) {
    await step("the owner comes in", async () => {
      await page.goto(base + "/");
      await page.getByLabel("Name").fill(name);
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Overview" }).waitFor();
    });
    if (failed) await finish();
  }

  /** Ends the browser and the process, with the sum. */
  async function finish() {
    await browser.close();
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed ? 1 : 0);
  }

  return { page, context, browser, complaints, step, must, until, axe, look, signIn, finish };
}
