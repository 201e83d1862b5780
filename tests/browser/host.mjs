// node host.mjs: URL, NAME, PASSWORD, SHOTS in the environment; an appliance whose address has no
// name, and at which nobody has looked. "ASK what" on standard output, a line on standard input.
import { createInterface } from "node:readline";
import { driver } from "./driver.mjs";

const { URL: BASE, NAME, PASSWORD, SHOTS } = process.env;
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { page, context, step, must, until, look, signIn, finish } = await driver({ shots: `${SHOTS}/host-failed` });

async function ask(what) {
  console.log(`ASK ${what}`);
  await answers.next();
}

const row = (id) => page.locator(`#check-${id}`);
const state = async (id) => (await row(id).locator(".record-head .state").innerText()).split(/\s+/).pop();
const becomes = (id, word) => until(async () => (await state(id)) === word, async () => `${id} is ${await state(id)}, not ${word}`);

await context.grantPermissions(["clipboard-read", "clipboard-write"]);
await signIn(BASE, NAME, PASSWORD);

await step("each row is looked at by itself when somebody comes", async () => {
  await page.getByRole("link", { name: "How others see this server" }).click();
  await page.getByRole("heading", { name: "How others see this server", level: 2 }).waitFor();
  await becomes("address", "ok");
  await becomes("ptr", "fail");
  await becomes("blocklists", "ok");
  await becomes("outbound", "warn");
  await until(async () => !(await page.getByText("looking …").count()), "all of them");
  must(/peer\.example/.test(await row("outbound").innerText()), "who was connected to");
  await look("host", SHOTS);
});

await step("what is missing has its owner and one thing to send", async () => {
  must(/your provider's move/.test(await row("ptr").innerText()), await row("ptr").innerText());
  await row("ptr").getByRole("button", { name: "Copy the request to send" }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  must(/PTR record\) of 203\.0\.114\.10 to mail\.home\.example/.test(copied), copied);
});

await step("a row is looked at again by the keyboard, alone and without a reload", async () => {
  await page.evaluate(() => (window.notReloaded = true));
  const others = await row("blocklists").locator("time").getAttribute("datetime");
  await ask("name");
  await row("ptr").getByRole("button", { name: "Re-check: Reverse name" }).focus();
  await page.keyboard.press("Enter");
  await becomes("ptr", "ok");
  must((await row("blocklists").locator("time").getAttribute("datetime")) === others, "the others were let alone");
  must(await page.evaluate(() => window.notReloaded === true), "the page was reloaded");
});

await step("the overview names what is not well, and leads to its row", async () => {
  await page.getByRole("navigation", { name: "Rooms" }).getByRole("link", { name: "Overview" }).click();
  const needs = page.getByRole("region", { name: "Needs you" });
  await needs.getByText("Way out", { exact: true }).waitFor();
  await look("host-overview", SHOTS);
  await needs.locator("li", { hasText: "Way out" }).getByRole("link").click();
  await row("outbound").waitFor();
  must(page.url().endsWith("#check-outbound"), page.url());
  const top = () => row("outbound").evaluate((e) => Math.round(e.getBoundingClientRect().top));
  await until(async () => (await top()) >= 0 && (await top()) < 860, async () => `in sight: ${await top()}`);
});

await finish();
