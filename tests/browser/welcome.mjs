// node welcome.mjs: URL, NAME, PASSWORD, SHOTS in the environment; an appliance without any domain.
// What the world is to do is asked for on standard output, a line "ASK what", and answered by a
// line on standard input. Prints a line for each step and "N passed, N failed".
import { createInterface } from "node:readline";
import { driver } from "./driver.mjs";
import { modulesOf, textOf } from "./qr.mjs";

const { URL: BASE, NAME, PASSWORD, SHOTS } = process.env;
const DOMAIN = "home.example";
const ANN = `ann@${DOMAIN}`;

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { page, step, must, until, look, signIn, finish } = await driver({ shots: `${SHOTS}/welcome-failed` });

async function ask(what) {
  console.log(`ASK ${what}`);
  await answers.next();
}

/** What has the focus, in a word. */
const focused = () => page.evaluate(() => `${document.activeElement.tagName} ${document.activeElement.textContent}`);
const steps = page.getByRole("navigation", { name: "Steps" });
const heading = (name) => page.getByRole("heading", { name, level: 2 });
const ticks = () => steps.locator("li.done").count();

await signIn(BASE, NAME, PASSWORD);

await step("an empty appliance says what to do first", async () => {
  await heading("Welcome: five steps to your first mail").waitFor();
  await page.getByText("No mail yet").waitFor();
  await look("welcome-overview", SHOTS);
  await page.getByRole("navigation", { name: "Rooms" }).getByRole("link", { name: "Domains" }).click();
  await page.getByText("No domain yet").waitFor();
  await page.getByRole("link", { name: "Set up your first domain" }).click();
  // Two minutes after its start it is looked at by itself: then this step is done before we come.
  await heading("How others see this server").or(heading("Which domain shall have mail here?")).waitFor();
  if (await heading("Which domain shall have mail here?").isVisible()) await steps.getByRole("link", { name: /Host/ }).click();
  await heading("How others see this server").waitFor();
  // Nobody asked for them: a new server is looked at when its owner comes by.
  await until(async () => (await ticks()) === 1, "each row was looked at, and none stands in the way");
  await look("welcome-host", SHOTS);
  await page.getByRole("link", { name: "Continue" }).click();
  await heading("Which domain shall have mail here?").waitFor();
  await look("welcome-domain", SHOTS);
});

await step("a name that is none is said beside its field, which has the focus", async () => {
  await page.getByLabel("Domain", { exact: true }).fill("no domain");
  await page.keyboard.press("Enter");
  await page.locator(".field .error").waitFor();
  await until(async () => /^INPUT/.test(await focused()), focused);
  must((await page.getByLabel("Domain", { exact: true }).getAttribute("aria-invalid")) === "true", "invalid");
});

await step("by the keyboard alone: a domain that moves here", async () => {
  await page.keyboard.press("Control+a");
  await page.keyboard.type("Home.Example");
  await page.keyboard.press("Tab");
  await page.keyboard.press("ArrowDown");
  await until(() => page.getByLabel("another provider has it").isChecked(), "the arrow chose it");
  await page.keyboard.press("Enter");
  await heading("Publish these DNS records").waitFor();
  await until(async () => /^H2/.test(await focused()), async () => `the step has the focus, not ${await focused()}`);
  must(page.url().endsWith(`/setup?domain=${DOMAIN}&step=dns`), page.url());
  await until(async () => (await ticks()) === 2, "two steps are done");
});

await step("what sends mail here comes last, and says so", async () => {
  await page.getByRole("button", { name: "Check all now" }).click();
  await page.locator("#record-mx.differs").waitFor();
  await page.locator("#record-spf.missing").waitFor();
  const last = page.locator('ul[aria-label="Left to do"] > li').last();
  await until(async () => (await last.getAttribute("id")) === "record-mx", "MX is last");
  must(/Change this one last/.test(await last.innerText()), await last.innerText());
  must((await page.getByRole("link", { name: "Continue" }).count()) === 0, "not all is well yet");
  await page.getByText(/looks again in 0:\d\d/).waitFor();
  await look("welcome-records", SHOTS);
});

await step("records turn ok by themselves; what is left is skipped, and by whom is kept", async () => {
  await page.evaluate(() => (window.notReloaded = true));
  await ask("publish");
  // Nothing is pressed: the page looks again.
  await page.locator("#record-spf.missing").waitFor({ state: "detached" });
  must(await page.evaluate(() => window.notReloaded === true), "the page was reloaded");
  // A test network has no public addresses, and nobody who names them backwards. A look that began
  // before all was there finds some of it: then the next one counts.
  const rows = () => page.locator('ul[aria-label="Left to do"] > li').evaluateAll((all) => all.map((r) => r.id));
  await until(async () => (await rows()).every((id) => /host|ptr|dkim|mx/.test(id)), async () => `left: ${await rows()}`);
  for (let left = 9; left && (await page.getByRole("link", { name: "Continue" }).count()) === 0; left--) {
    const mute = page.locator('ul[aria-label="Left to do"] > li').getByRole("button", { name: "Mute" }).first();
    const row = page.locator('ul[aria-label="Left to do"] > li').first();
    const id = await row.getAttribute("id");
    await mute.click();
    await page.locator(`[id="${id}"]`).waitFor({ state: "detached" });
  }
  await page.getByText("All required records are as they should be").waitFor();
  await look("welcome-records-done", SHOTS);
  await page.getByRole("link", { name: "Continue" }).click();
});

let password = "";
await step("the first account, with a password that was made", async () => {
  await heading("Make the first account").waitFor();
  await page.getByText(`@${DOMAIN}`, { exact: true }).waitFor();
  await look("welcome-account", SHOTS);
  await page.getByLabel("Address", { exact: true }).fill("not good");
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.locator(".field .error").first().waitFor();
  await page.getByLabel("Address", { exact: true }).fill("ann");
  await page.getByLabel("Name of the person").fill("Ann");
  await page.getByRole("button", { name: "Make one" }).click();
  await page.getByRole("button", { name: "Make the account" }).click();
  await heading(`${ANN} is ready`).waitFor();
  password = (await page.locator(".secret").innerText()).trim();
  must(password.length === 18, "its password is shown");
});

await step("what the mail program asks for, also for a camera", async () => {
  await page.getByText("mail.home.example, port 993, TLS").waitFor();
  await page.getByText("mail.home.example, port 465, TLS").waitFor();
  const code = page.getByRole("img", { name: "for a camera" });
  const drawn = modulesOf(await code.getAttribute("viewBox"), await code.locator("path").getAttribute("d"));
  const profile = await page.getByRole("link", { name: "Download the profile" }).getAttribute("href");
  must(textOf(drawn) === profile, `the camera reads ${textOf(drawn)}, not ${profile}`);
  const answer = await page.request.get(profile);
  must(answer.status() === 200 && (await answer.text()).includes(ANN), `${profile}: ${answer.status()}`);
  await look("welcome-settings", SHOTS);
});

await step("who comes back goes on where it was left, without the password", async () => {
  await page.goto(`${BASE}/setup?domain=${DOMAIN}`);
  await heading("Send a mail both ways").waitFor();
  await until(async () => (await ticks()) === 4, "four steps are done");
  await page.getByText("Waiting for it").nth(1).waitFor();
  await look("welcome-mail", SHOTS);
  await steps.getByRole("link", { name: "First account" }).click();
  await page.getByText("a new one can be set").waitFor();
  must(!(await page.locator("main").innerText()).includes(password), "the password is not shown again");
  await page.getByRole("link", { name: "Continue" }).click();
});

await step("one mail in, one mail out, each told while it happens", async () => {
  await heading("Send a mail both ways").waitFor();
  await page.evaluate(() => (window.notReloaded = true));
  await ask(`hello ${ANN}`);
  const mailIn = page.getByRole("region", { name: "1. In" });
  await mailIn.locator(".journey").getByText(/INBOX/).waitFor();
  await ask(`answer ${ANN} ${password}`);
  const mailOut = page.getByRole("region", { name: "2. Out" });
  await mailOut.locator(".state", { hasText: "delivered" }).waitFor();
  must(!/A rule of theirs/.test(await mailOut.innerText()), "no reason why it was taken");
  await page.getByRole("link", { name: "Done: to the overview" }).waitFor();
  await until(async () => (await ticks()) === 5, "all steps are done");
  must(await page.evaluate(() => window.notReloaded === true), "the page was reloaded");
  await look("welcome-done", SHOTS);
  await page.getByRole("link", { name: "Done: to the overview" }).click();
});

await step("the overview has nothing left to remind of", async () => {
  await page.getByRole("heading", { name: "Recent" }).waitFor();
  await page.getByRole("cell", { name: ANN }).first().waitFor();
  must((await page.locator(".setup-list").count()) === 0, "no list of steps");
});

await finish();
