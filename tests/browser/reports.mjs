// node reports.mjs STAGE: URL, NAME, PASSWORD, SHOTS in the environment. STAGE is "empty", before
// any report has come, "full", "sent", or "advice". Prints a line for each step and "N passed, N failed".
import { driver } from "./driver.mjs";

const { URL: BASE, NAME, PASSWORD, SHOTS } = process.env;
const { page, step, must, until, look, signIn, finish } = await driver({
  shots: `${SHOTS}/reports-failed`,
});

async function tab(name) {
  await page.getByRole("navigation", { name: "Kinds of reports" }).getByRole("link", { name, exact: true }).click();
}

async function empty() {
  await step("an empty page says what will be here, and when", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("r");
    await page.getByRole("heading", { name: "Reports", exact: true }).waitFor();
    await page.getByText("No DMARC reports in this time").waitFor();
    await page.getByText("dmarc-reports@").waitFor();
    await look("reports-empty", SHOTS);
    await tab("TLS");
    await page.getByText("No TLS reports in this time").waitFor();
  });
}

async function full() {
  await step("DMARC: who sent it, and what to do if it was you", async () => {
    await page.getByRole("navigation", { name: "Rooms" }).getByRole("link", { name: "Reports" }).click();
    const row = page.getByRole("row").filter({ hasText: "Amazon SES" });
    await row.waitFor();
    must(/40 to Junk/.test(await row.innerText()), await row.innerText());
    await row.getByText("What to do").click();
    await row.getByText("switch on DKIM").waitFor();
    await row.getByRole("button", { name: "include:amazonses.com" }).waitFor();
    await look("reports-dmarc", SHOTS);
  });

  await step("the addresses of one service", async () => {
    await page.getByRole("link", { name: "Amazon SES" }).click();
    await page.getByRole("heading", { name: "Addresses of Amazon SES" }).waitFor();
    await page.getByRole("row").filter({ hasText: "192.0.2.9" }).waitFor();
    await page.getByRole("link", { name: "Back to all" }).click();
    await page.getByRole("heading", { name: "Who reported" }).waitFor();
  });

  await step("those that nobody proved are counted on demand", async () => {
    const value = () => page.locator(".figure-value").first().innerText();
    const before = await value();
    await page.getByRole("checkbox").check();
    await page.waitForFunction((was) => document.querySelector(".figure-value")?.textContent !== was, before);
    await page.getByRole("checkbox").uncheck();
  });

  await step("TLS: what failed, in plain words", async () => {
    await tab("TLS");
    const row = page.getByRole("row").filter({ hasText: "certificate-expired" });
    await row.getByText("The certificate has expired").waitFor();
    await look("reports-tls", SHOTS);
  });

  await step("one by one, by the keyboard, with the document", async () => {
    await tab("Received");
    await page.getByText("unverified").first().waitFor();
    await look("reports-received", SHOTS);
    await page.locator("h1").click();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "report on" }).waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download" }).click();
    const file = await download;
    must(/\.(xml|json)$/.test(file.suggestedFilename()), `a document: ${file.suggestedFilename()} ${await file.failure()}`);
    await look("reports-one", SHOTS);
  });
}

async function sent() {
  await step("what others were told, and where it got", async () => {
    await page.goto(`${BASE}/reports?tab=sent`);
    const row = page.getByRole("row").filter({ hasText: "reports@peer.example" });
    await row.getByText("5 messages").waitFor();
    await row.getByText("sent", { exact: false }).first().waitFor();
    const refused = page.getByRole("row").filter({ hasText: "outside.example" });
    await refused.getByText("Why not").click();
    await refused.getByText("they do not say that they want reports").waitFor();
    await look("reports-sent", SHOTS);
    const download = page.waitForEvent("download");
    await row.getByRole("link", { name: "XML" }).click();
    const file = await download;
    must(/\.xml$/.test(file.suggestedFilename()), `a document: ${file.suggestedFilename()} ${await file.failure()}`);
  });

  await step("only one kind, only one state, and the address keeps both", async () => {
    const rows = page.locator("tbody tr");
    const kinds = async () => [...new Set(await page.locator('td[data-name="Kind"]').allInnerTexts())].join();
    await page.getByRole("combobox", { name: "Kind" }).selectOption("tls");
    await rows.filter({ hasText: "outside.example" }).waitFor({ state: "detached" });
    await rows.filter({ hasText: "sts.example" }).first().waitFor();
    await until(async () => (await kinds()) === "TLS", async () => `kinds: ${await kinds()}`);
    await page.getByRole("combobox", { name: "State" }).selectOption("refused");
    await page.getByText("No such reports").waitFor();
    await page.getByRole("combobox", { name: "Kind" }).selectOption("");
    await rows.filter({ hasText: "outside.example" }).waitFor();
    await until(async () => (await rows.count()) === 1, async () => `${await rows.count()} refused`);
    await page.reload();
    await rows.filter({ hasText: "outside.example" }).waitFor();
    must((await page.getByRole("combobox", { name: "State" }).inputValue()) === "refused", "the state is kept");
    await until(async () => (await rows.count()) === 1, "and what it leaves out");
    await page.getByRole("combobox", { name: "State" }).selectOption("");
    await rows.filter({ hasText: "sts.example" }).first().waitFor();
  });
}

async function advice() {
  await step("a step of the ladder says what it would have changed", async () => {
    await page.goto(`${BASE}/domains/steps.example?tab=dns`);
    await page.getByText("where Mailstead does not read them").waitFor();
    await look("reports-elsewhere", SHOTS);
    await page.getByRole("button", { name: "Let Mailstead read them" }).click();
    await page.getByText("TLS reports will come here").waitFor();
    await page.getByText("where Mailstead does not read them").waitFor({ state: "detached" });
    await page.goto(`${BASE}/domains/steps.example?tab=policies`);
    await page.getByText("99.2 % were aligned").first().waitFor();
    await page.getByText("Who sent what failed").first().click();
    await page.getByText("If you send with SendGrid").waitFor();
    await look("reports-advice", SHOTS);
    await page.getByRole("button", { name: "Step up to quarantine", exact: true }).click();
    await page.getByRole("dialog").getByText("would have gone to Junk").waitFor();
  });
}

await signIn(BASE, NAME, PASSWORD);
await { empty, full, sent, advice }[process.argv[2]]();
await finish();
