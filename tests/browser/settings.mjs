// node settings.mjs: URL, NAME, PASSWORD, SHOTS, SET (a command that sets $KEY to $VALUE) in the
// environment. Settings are drafted, refused, applied and taken back; a message is judged.
// Prints a line for each step and "N passed, N failed".
import { execFileSync } from "node:child_process";
import { driver } from "./driver.mjs";

const { URL: BASE, NAME, PASSWORD, SHOTS, SET } = process.env;

const { page, step, must, until, look, signIn, finish } = await driver({
  shots: `${SHOTS}/settings-failed`,
});

const set = (key, value) => execFileSync("/bin/sh", ["-c", SET], { env: { ...process.env, KEY: key, VALUE: value } });
const row = (key) => page.locator(`[data-key="${key}"]`);
const bar = page.getByRole("region", { name: "Changes" });

async function apply() {
  await bar.getByRole("button", { name: "Review" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Apply" }).click();
}

await signIn(BASE, NAME, PASSWORD);

await step("the keyboard goes to the settings, each with its meaning", async () => {
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await page.getByRole("heading", { name: "Settings" }).waitFor();
  must(/Line \d+ of .*the file has the last word/.test(await row("delivery.retry").innerText()), "what the file says");
  must(!(await row("hostname").locator("input").count()), "no field for what cannot be set");
  await look("settings", SHOTS);
  await page.getByText("Limits", { exact: true }).click();
  must(/From 1 to 100\. Default: 3\./.test(await row("limits.auth_tries").innerText()), "range and default");
});

await step("a wrong value refuses all of them, beside its field", async () => {
  await row("limits.auth_tries").locator("input").fill("4000");
  await row("incoming.refuse_spf_fail").locator("select").selectOption("yes");
  await bar.getByText("2 changes not applied").waitFor();
  await apply();
  await row("limits.auth_tries").getByText("must be between 1 and 100").waitFor();
  await until(() => row("limits.auth_tries").locator("input").evaluate((e) => e === document.activeElement), "focus moved");
  must(!/Set here/.test(await row("incoming.refuse_spf_fail").innerText()), "the other one is as it was");
});

await step("a draft is reviewed, applied, and says who did it", async () => {
  await row("limits.auth_tries").locator("input").fill("5");
  await row("incoming.trusted_forwarders").locator("textarea").fill("Lists.example\nfoundation.example");
  await bar.getByRole("button", { name: "Review" }).click();
  const dialog = page.getByRole("dialog");
  must(/lists\.example|Lists\.example/.test(await dialog.innerText()), "old and new");
  await page.screenshot({ path: `${SHOTS}/settings-review.png` });
  await dialog.getByRole("button", { name: "Apply" }).click();
  await page.getByText("3 settings changed").waitFor();
  await row("limits.auth_tries").getByText(`Set here by ${NAME}`).waitFor();
  const text = await row("incoming.trusted_forwarders").locator("textarea").inputValue();
  must(text === "lists.example\nfoundation.example", text);
  await until(async () => !(await bar.count()), "no draft is left");
});

await step("what somebody else changed is not overwritten", async () => {
  await row("limits.auth_tries").locator("input").fill("6");
  await page.evaluate(() => (window.notReloaded = true));
  set("limits.smtp_errors", "40");
  await page.waitForFunction(() => document.querySelector('[data-key="limits.smtp_errors"] input').value === "40");
  must((await row("limits.auth_tries").locator("input").inputValue()) === "6", "the draft stays");
  must(await page.evaluate(() => window.notReloaded), "without a reload");
  await apply();
  await page.getByText("1 setting changed").waitFor();
});

await step("undo takes it back, and the default is one click away", async () => {
  await page.getByRole("button", { name: "Undo" }).last().click();
  await page.waitForFunction(() => document.querySelector('[data-key="limits.auth_tries"] input').value === "5");
  await row("limits.auth_tries").getByRole("button", { name: "Back to the default" }).click();
  await apply();
  await page.waitForFunction(() => document.querySelector('[data-key="limits.auth_tries"] input').value === "3");
  await page.getByLabel("Only what is set").check();
  await row("incoming.refuse_spf_fail").waitFor();
  await until(async () => !(await row("limits.auth_tries").count()), "only what is set");
});

await step("a message is judged without being sent", async () => {
  await page.goto(`${BASE}/messages`);
  await page.getByText("Check who sent a message").click();
  await page.getByLabel("Address of the client").fill("nonsense");
  await page.getByLabel("The message with all its headers").fill("From: pat@peer.example\nSubject: x\n\nHello\n");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Address of the client").fill("127.0.0.99");
  await page.getByLabel("Sender (MAIL FROM)").fill("pat@peer.example");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await page.getByText(/^It would be (refused|delivered)|^It would go to Junk/).waitFor();
  const found = await page.locator("details pre").innerText();
  must(/spf=/.test(found) && /dmarc=/.test(found), found);
  await look("check-sender", SHOTS);
});

await finish();
