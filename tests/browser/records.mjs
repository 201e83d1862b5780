// node records.mjs: URL, NAME, PASSWORD, DOMAIN, SHOTS in the environment. What is to be done to
// the zone is asked for on standard output, a line "ASK what", and answered by a line on standard
// input. Prints a line for each step and "N passed, N failed".
import { createInterface } from "node:readline";
import { driver } from "./driver.mjs";

const { URL: BASE, NAME, PASSWORD, DOMAIN, SHOTS } = process.env;

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { page, step, must, until, look, signIn, finish } = await driver({
  shots: `${SHOTS}/records-failed`,
});

/** Has the zone changed, and waits until it is. */
async function ask(what) {
  console.log(`ASK ${what}`);
  await answers.next();
}

async function tab(name) {
  await page.getByRole("navigation", { name: "Of this domain" }).getByRole("link", { name, exact: true }).click();
}

/** The row of a record has that state, without a reload; its text. */
async function record(key, state) {
  const row = page.locator(`[id="record-${key}"].${state}`);
  await row.waitFor({ state: "attached" });
  must(await page.evaluate(() => window.notReloaded === true), "the page was reloaded");
  return row.innerText();
}

async function check() {
  await page.getByRole("button", { name: "Check now" }).click();
}

await signIn(BASE, NAME, PASSWORD);
await page.goto(`${BASE}/domains/${DOMAIN}`);
await page.evaluate(() => (window.notReloaded = true));

await step("the domain says what is left to do", async () => {
  await page.getByText("not as they should be").waitFor();
  await tab("DNS");
  await record("mx", "ok");
  const spf = await record("spf", "missing");
  must(/ip4:/.test(spf), "the text to copy");
  await look("dns", SHOTS);
});

await step("a record that does not allow us differs, with the merged text", async () => {
  await ask("spf");
  await check();
  const text = await record("spf", "differs");
  must(/does not allow this server/.test(text), text);
  must(/ip4:127.0.0.10 ip4:192.0.2.99 -all/.test(text), `merged: ${text}`);
});

await step("two of them are a conflict", async () => {
  await ask("two");
  await check();
  const text = await record("spf", "conflict");
  must(/two SPF records/.test(text), text);
});

await step("silent servers make nothing missing", async () => {
  await ask("silent");
  await check();
  const text = await record("spf", "unknown");
  must(/did not answer/.test(text), text);
});

await step("a record is muted and counts no longer, by whom is told", async () => {
  const left = () => page.getByText(/^Required \d+\/\d+/).innerText();
  const before = await left();
  const row = page.locator('[id="record-spf"]');
  await row.getByRole("button", { name: "Mute" }).click();
  await page.getByText("1 muted record").click();
  await until(async () => new RegExp(`by ${NAME}`).test(await row.innerText()), () => row.innerText());
  await until(async () => (await left()) !== before, `counted before: ${before}`);
  await row.getByRole("button", { name: "Unmute" }).click();
  await page.getByText("1 muted record").waitFor({ state: "detached" });
  await until(async () => (await left()) === before, "and counts again");
});

await step("records are written as the provider's form wants them", async () => {
  const text = async (key) => (await page.locator(`[id="record-${key}"] [aria-label="Expected"]`).innerText()).trim();
  const choose = (name) => page.getByLabel("Written for").selectOption({ label: name });
  await page.locator('section[aria-label="Required"] details summary').first().click().catch(() => {});
  await choose("most forms");
  await until(async () => (await text("srv_imaps")) === "1 993 mail.home.example", () => text("srv_imaps"));
  await choose("zone file lines");
  await until(async () => (await text("srv_imaps")) === "0 1 993 mail.home.example.", () => text("srv_imaps"));
  const key = await page.locator('[id^="record-dkim"] [aria-label="Expected"]').first().innerText();
  must(/^"v=DKIM1;/.test(key), `quoted: ${key}`);
  await choose("full names, no dot");
  const name = () => page.locator('[id="record-srv_imaps"] .record-name').innerText();
  await until(async () => (await name()) === "_imaps._tcp.home.example", name);
  await choose("most forms");
});

await step("what was published is seen, keys go to work", async () => {
  await ask("good");
  await check();
  await record("spf", "ok");
  await record("dmarc", "ok");
  await tab("DKIM");
  await page.getByText("signs what leaves").nth(1).waitFor();
  await look("dkim", SHOTS);
});

await step("a step up the ladder makes the record differ", async () => {
  await tab("DMARC and MTA-STS");
  await look("policies", SHOTS);
  await page.getByRole("button", { name: "Step up to quarantine, testing" }).click();
  await page.getByRole("button", { name: "Choose quarantine, testing" }).click();
  await page.getByText("you are here").first().waitFor();
  await tab("DNS");
  const text = await record("dmarc", "differs");
  must(/less than the step/.test(text), text);
  await page.getByText("History").click();
  await page.getByText("ok → differs").first().waitFor();
});

await finish();
